package fsm

import (
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/page"
)

// Errors of a Receiver.
var (
	// ErrReceiving: another snapshot is being received, or waits to be restored.
	ErrReceiving = errors.New("another snapshot is being received or waits to be restored")
	// ErrOvertaken: the log went beyond the snapshot while it was received. What was received is of no use here any more.
	ErrOvertaken = errors.New("the log has gone beyond the snapshot that is being received")
)

// Receiver builds the state of another member's snapshot beside the present one, in memory, with the pages of the present
// one that are the same: nothing that is served changes until Restore. The journal does not come with it: what is missing of
// it is fetched afterwards. For one goroutine.
//
// Pages are shared, not copied. That is right because the snapshot is at an index M that this member has not gone beyond: a page
// that has the same index here as there is final up to M, so nothing writes to it until then. An entry beyond M may; before
// it is applied the Receiver is overtaken and what it built is dropped. All reading of pages that may be shared is done
// under the state machine's lock, a few pages at a time.
type Receiver struct {
	f       *FSM
	header  snapshotHeader
	present *state // that pages are shared with

	// f.mu guards these.
	next      *state
	ready     bool // complete and verified: Restore may take it
	overtaken bool
}

// Receive starts to take in a snapshot with that meta, whose pages have that digest. It may be of the very index that is
// applied here: raft's own is higher then, by entries that are not commands. One at a time: ErrReceiving.
func (f *FSM) Receive(meta []byte, digest page.Digest) (*Receiver, error) {
	header, err := decodeSnapshotHeader(meta)
	if err != nil {
		return nil, err
	}
	if err := header.applicable(); err != nil {
		return nil, err
	}
	if header.digest != digest {
		return nil, corruptSnapshot("it is said to have the digest %v, and says %v", digest, header.digest)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if header.index < f.index {
		return nil, fmt.Errorf("%w: the snapshot is at index %d, the state is at %d already", ErrOrder, header.index, f.index)
	}
	if f.receiver != nil {
		return nil, ErrReceiving
	}
	f.receiver = &Receiver{f: f, header: header, present: f.state, next: newState()}
	return f.receiver, nil
}

// overtake gives up what is being received, or waits, for an older index than the one that is about to be applied. The
// caller holds mu.
func (f *FSM) overtake(index uint64) {
	if r := f.receiver; r != nil && index > r.header.index {
		r.overtaken, r.next, f.receiver = true, nil, nil
	}
}

// usable is nil while the snapshot can still be installed. The caller holds f.mu.
func (r *Receiver) usable() error {
	switch {
	case r.overtaken:
		return ErrOvertaken
	case r.f.receiver != r:
		return ErrReplaced
	case r.f.state != r.present:
		return ErrReplaced
	}
	return r.f.halted()
}

// Reserve makes room for the pages of a table: see page.Space.Reserve.
func (r *Receiver) Reserve(table uint8, recordSize int, first, count uint64) error {
	r.f.mu.RLock()
	defer r.f.mu.RUnlock()
	if err := r.usable(); err != nil {
		return err
	}
	return r.next.space().Reserve(table, recordSize, first, count)
}

// Held copies the present version of a page into buf, page.Size bytes, and answers its index; 0: there is none.
func (r *Receiver) Held(id page.ID, buf []byte) (index uint64) {
	r.f.mu.RLock()
	defer r.f.mu.RUnlock()
	p, ok := r.present.space().Peek(id)
	if !ok || r.usable() != nil {
		return 0
	}
	copy(buf, p.Data)
	return p.Index
}

// Share takes the page from the present state, where it has this index and checksum, and copies it into buf. damaged: it has
// the index and other bytes, which nobody can have written.
func (r *Receiver) Share(id page.ID, index, checksum uint64, buf []byte) (shared, damaged bool, err error) {
	r.f.mu.RLock()
	defer r.f.mu.RUnlock()
	if err := r.usable(); err != nil {
		return false, false, err
	}
	from := r.present.space()
	p, ok := from.Peek(id)
	if !ok || p.Index != index {
		return false, false, nil
	}
	if page.Checksum(id, p.Data) != checksum {
		return false, true, nil
	}
	copy(buf, p.Data)
	return true, false, r.next.space().Share(from, id)
}

// Page takes a page that the present state does not have, its checksum verified.
func (r *Receiver) Page(p page.Page) error {
	r.f.mu.RLock()
	defer r.f.mu.RUnlock()
	if err := r.usable(); err != nil {
		return err
	}
	return r.next.space().Put(p)
}

// Commit verifies the state, reading all of it, and makes the journal durable as far as it is here. From then on the
// snapshot may be made durable too, and Restore finds both. alive is called every now and then; its error ends the work.
func (r *Receiver) Commit(alive func() error) error {
	f := r.f
	f.mu.RLock()
	err := r.usable()
	if err == nil {
		err = r.next.complete(&r.header, func() error {
			f.mu.RUnlock()
			err := alive()
			f.mu.RLock()
			return errors.Join(err, r.usable())
		})
	}
	f.mu.RUnlock()
	if err == nil {
		err = f.syncJournal()
	}
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r.ready = true
	return r.usable()
}

// Abort drops what was received. After Commit it may be called only if the snapshot certainly is not on disk.
func (r *Receiver) Abort() error {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	if r.f.receiver == r {
		r.f.receiver = nil
	}
	r.next = nil
	return nil
}

// takeReceived gives the state that was received with exactly this header; nil if another or none was.
func (f *FSM) takeReceived(header *snapshotHeader) *state {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.receiver
	if r == nil || !r.ready || r.header != *header || r.present != f.state {
		return nil
	}
	f.receiver = nil
	next := r.next
	r.next = nil
	return next
}
