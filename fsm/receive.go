package fsm

import (
	"errors"
	"fmt"
	"sync"

	"github.com/ballastdb/ballast/fsm/page"
)

// ErrReceiving: another snapshot is being received, or waits to be restored.
var ErrReceiving = errors.New("another snapshot is being received or waits to be restored")

// Receiver takes in a snapshot from another member beside the present state: it builds the next state in memory. Nothing
// that is served changes until Restore. The journal does not come with it: see Journal. For one goroutine.
type Receiver struct {
	f      *FSM
	header snapshotHeader
	next   *state
}

// Receive starts to take in a snapshot with that meta, whose pages have that digest. It may be of the very index that is
// applied here: raft's own is higher then, by entries that are not commands. One at a time: ErrReceiving.
func (f *FSM) Receive(meta []byte, digest page.Digest) (*Receiver, error) {
	header, err := decodeSnapshotHeader(meta)
	if err != nil {
		return nil, err
	}
	if header.digest != digest {
		return nil, corruptSnapshot("it is said to have the digest %v, and says %v", digest, header.digest)
	}
	if index, _ := f.Applied(); header.index < index {
		return nil, fmt.Errorf("%w: the snapshot is at index %d, the state is at %d already", ErrOrder, header.index, index)
	}
	if !f.received.begin() {
		return nil, ErrReceiving
	}
	return &Receiver{f: f, header: header, next: newState()}, nil
}

// Page takes the next page, its checksum verified.
func (r *Receiver) Page(p page.Page) error { return r.next.space().Load(p) }

// Write takes what follows the pages: nothing.
func (r *Receiver) Write(b []byte) (int, error) {
	if len(b) > 0 {
		return 0, corruptSnapshot("%d bytes follow its pages", len(b))
	}
	return 0, nil
}

// Commit verifies the state, and makes the journal durable as far as it is here. From then on the snapshot may be made
// durable too, and Restore finds both.
func (r *Receiver) Commit() error {
	if err := r.next.complete(&r.header); err != nil {
		return err
	}
	if err := r.f.syncJournal(); err != nil {
		return err
	}
	r.f.received.put(&r.header, r.next)
	return nil
}

// Abort drops what was received. After Commit it may be called only if the snapshot certainly is not on disk.
func (r *Receiver) Abort() error {
	r.f.received.end()
	return nil
}

// received is the next state between its receipt and Restore.
type received struct {
	mu     sync.Mutex
	busy   bool
	header snapshotHeader
	next   *state
}

func (r *received) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy {
		return false
	}
	r.busy = true
	return true
}

func (r *received) put(header *snapshotHeader, next *state) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.header, r.next = *header, next
}

// take gives the state that was received with exactly this header; nil if another or none was.
func (r *received) take(header *snapshotHeader) *state {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.next
	if next == nil || r.header != *header {
		return nil
	}
	r.busy, r.next = false, nil
	return next
}

func (r *received) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy, r.next = false, nil
}
