package fsm

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/guard"
)

// guardNothingNew is the guard of an UPSTREAM rule: raft must not believe in a snapshot that was not taken.
const guardNothingNew guard.Name = "nothing-new"

// MarkSink is a raft.SnapshotSink that publishes what is on the disk already.
type MarkSink interface {
	raft.SnapshotSink
	// Publish makes the snapshot written at a mark the newest. Its index is at or below the one that raft asked for.
	Publish(index, term uint64) error
}

// errNoMarks: another snapshot store than one that publishes marks was wired.
var errNoMarks = errors.New("the snapshot store publishes no marks")

// Snapshot is raft.FSM's: it gives the mark that was written and offered. Without one it fails, here and not later: from a
// success raft would conclude that a snapshot covers what it has applied, and offer it to others for ever.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.halted(); err != nil {
		return nil, err
	}
	if f.holds > 0 {
		return nil, ErrHeld
	}
	m := f.pinned
	if m == nil && !guard.On(guardNothingNew) {
		m = f.last
	}
	if m == nil || !m.offered {
		return nil, raft.ErrNothingNewToSnapshot
	}
	m.offered = !guard.On(guardNothingNew)
	return offer{m}, nil
}

// offer is a mark in raft's hands. Who took the mark releases it, after raft has answered: only then has raft noted it.
type offer struct{ *Mark }

// Persist is raft.FSMSnapshot's: it publishes the mark through the sink, which must be a MarkSink.
func (o offer) Persist(sink raft.SnapshotSink) error {
	marks, ok := sink.(MarkSink)
	if !ok {
		return fmt.Errorf("%w: it offers a %T", errNoMarks, sink)
	}
	if err := o.Err(); err != nil {
		return fmt.Errorf("publish snapshot of index %d: %w", o.header.index, err)
	}
	return marks.Publish(o.header.index, o.header.term)
}

// Release is raft.FSMSnapshot's.
func (o offer) Release() {}
