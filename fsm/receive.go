package fsm

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/page"
)

// ErrReceiving: another snapshot is being received, or waits to be restored.
var ErrReceiving = errors.New("another snapshot is being received or waits to be restored")

// JournalLength is the length of the journal that belongs to a snapshot with that meta, bytes.
func (f *FSM) JournalLength(meta []byte) (uint64, error) {
	header, err := decodeSnapshotHeader(meta)
	return header.journal.Bytes, err
}

// OpenJournal opens the journal that belongs to a snapshot with that meta, for another member to receive.
func (f *FSM) OpenJournal(meta []byte) (io.ReadCloser, error) {
	header, err := decodeSnapshotHeader(meta)
	if err != nil {
		return nil, err
	}
	if held, err := f.journal.Holds(header.journal); err != nil || !held {
		return nil, errors.Join(fmt.Errorf("the journal does not hold what belongs to the snapshot of index %d", header.index), err)
	}
	r, _ := f.journal.Reader()
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, int64(header.journal.Bytes)), r}, nil
}

// Receiver takes in a snapshot from another member beside the present state: it builds the next state in memory and stages
// what the journal lacks. Nothing that is served changes until Restore. For one goroutine.
type Receiver struct {
	f      *FSM
	header snapshotHeader
	next   *state
	tail   *journal.Tail // nil: the journal holds what the snapshot needs
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
	r := &Receiver{f: f, header: header, next: newState()}
	if err := r.stage(); err != nil {
		f.received.end()
		return nil, err
	}
	return r, nil
}

// stage makes a place for what the journal lacks. Where nothing was applied yet the journal is one of another run, which
// the first entry of the log empties: then all of it is staged.
func (r *Receiver) stage() error {
	f := r.f
	f.mu.RLock()
	started := f.started
	f.mu.RUnlock()
	from := journal.Position{}
	if started {
		held, err := f.journal.Holds(r.header.journal)
		if err != nil || held {
			return err
		}
		from = f.received.commonWith(f.journal.End(), r.header.journal)
	}
	var err error
	r.tail, err = f.journal.StageTail(from, r.header.journal)
	return err
}

// Page takes the next page, its checksum verified.
func (r *Receiver) Page(p page.Page) error { return r.next.space().Load(p) }

// Write takes the journal's bytes, behind all pages.
func (r *Receiver) Write(b []byte) (int, error) {
	if r.tail == nil {
		return len(b), nil
	}
	n, err := r.tail.Write(b)
	if errors.Is(err, journal.ErrForeign) {
		r.f.received.distrust()
		r.f.logger.Error("the journal here is not the beginning of the cluster's; the next snapshot replaces all of it", "error", err)
	}
	return n, err
}

// Commit verifies the state and makes the journal that it needs durable. From then on the snapshot may be made durable
// too, and Restore finds both.
func (r *Receiver) Commit() error {
	if err := r.next.complete(&r.header); err != nil {
		return err
	}
	if err := r.f.syncJournal(); err != nil {
		return err
	}
	if r.tail != nil {
		if err := r.tail.Commit(); err != nil {
			return err
		}
	}
	r.f.received.put(&r.header, r.next)
	return nil
}

// Abort drops what was received. After Commit it may be called only if the snapshot certainly is not on disk.
func (r *Receiver) Abort() error {
	r.f.received.end()
	if r.tail == nil {
		return nil
	}
	return r.tail.Abort()
}

// received is the next state between its receipt and Restore.
type received struct {
	mu      sync.Mutex
	busy    bool
	header  snapshotHeader
	next    *state
	foreign bool // the local journal is no beginning of the cluster's
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
	r.busy, r.next, r.foreign = false, nil, false
	return next
}

func (r *received) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy, r.next = false, nil
}

func (r *received) distrust() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.foreign = true
}

// commonWith is where a tail to want begins: at the end of the local journal, unless that is known, or seen by its length,
// to be another history's.
func (r *received) commonWith(end, want journal.Position) journal.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.foreign || end.Sequence >= want.Sequence || end.Bytes >= want.Bytes {
		return journal.Position{}
	}
	return end
}
