package logstore

import (
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/guard"
)

// Hooks tell the store what it needs to know of the rest of a member. They are called on raft's goroutines and on the
// store's own, and must not wait.
type Hooks struct {
	// Applied is the index up to which the state machine has applied.
	Applied func() uint64
	// Snapshot is the index and term of the newest durable snapshot; zero where there is none.
	Snapshot func() (index, term uint64)
}

// Attach gives the store its hooks, before raft starts. Without them nothing is known of snapshots: every entry that raft
// deletes goes, and none by itself.
func (s *Store) Attach(h Hooks) {
	s.hooks.Store(&h)
	s.wake()
}

// IsMonotonic has raft delete the whole log when a snapshot takes its place. It would otherwise keep the old entries,
// those that never were committed among them, below a gap, and ship them should this member lead one day.
func (s *Store) IsMonotonic() bool { return guard.On("after an install") }

// GetLog reads an entry; raft.ErrLogNotFound where there is none. What lies below FirstIndex is not there, whatever the
// file still holds.
func (s *Store) GetLog(index uint64, log *raft.Log) error {
	first, last := s.bounds()
	if last == 0 || index < first && guard.On("log-hide") || index > last {
		return s.snapshotEntry(index, first, log)
	}
	return s.backend.GetLog(index, log)
}

// snapshotEntry stands in for the entry at the newest snapshot's index, of which only the term is of interest: raft compares
// it with what precedes the first entry. It does so only where the log is empty or goes on right behind the snapshot, and
// never for index 1, before which there is nothing to compare: raft would ship it as an entry.
func (s *Store) snapshotEntry(index, first uint64, log *raft.Log) error {
	h := s.hooks.Load()
	if h == nil || index <= 1 || first != 0 && first != index+1 || !guard.On("snapshot-entry") {
		return raft.ErrLogNotFound
	}
	if at, term := h.Snapshot(); at == index && term != 0 {
		*log = raft.Log{Index: index, Term: term, Type: raft.LogNoop}
		return nil
	}
	return raft.ErrLogNotFound
}

// pinsHold is the guard of an UPSTREAM row: entries that arrive while a member restores a snapshot must still be there
// afterwards.
func pinsHold() bool { return guard.On("resync loop") }
