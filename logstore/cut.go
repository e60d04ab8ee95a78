package logstore

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/guard"
)

// RequestCut asks durably that the next Open deletes the entries from index on, because the leader's snapshot ends there with
// this term, and the log's entry there has another: none of them was ever committed. Raft cannot do without: it knows its
// log's end by heart, installs the snapshot, rejects the next append, and is offered the snapshot again, for ever. So the
// process must end, and be started again, once this has returned. Where the entry has that term by then, nothing is deleted.
func (s *Store) RequestCut(index, term uint64) error {
	if index == 0 || term == 0 {
		return fmt.Errorf("request a cut of the log: expected an index and a term, found %d and %d", index, term)
	}
	s.appends.Lock()
	defer s.appends.Unlock()
	return s.setWord(cutKey, index, term)
}

// doRequestedCut does what RequestCut asked for. Deleting comes first: a crash in between does it again, and finds nothing,
// for nothing is appended before raft runs.
func (s *Store) doRequestedCut() error {
	numbers, err := s.readWord(cutKey, 2)
	if err != nil || numbers == nil || !guard.On("#697") {
		return err
	}
	s.appends.Lock()
	defer s.appends.Unlock()
	index, term := numbers[0], numbers[1]
	conflict, err := s.conflicts(index, term)
	if err != nil {
		return err
	}
	if conflict {
		s.logger.Warn("the end of the log is in conflict with the leader's snapshot, and is deleted", "from", index, "to", s.last.Load(), "term", term)
		if err := s.deleteDownwards(index); err != nil {
			return err
		}
	}
	return s.setWord(cutKey)
}

// conflicts tells whether the log holds an entry of another term at index.
func (s *Store) conflicts(index, term uint64) (bool, error) {
	first, last := s.bounds()
	if last == 0 || index < first || index > last {
		return false, nil
	}
	found, err := s.termOf(index)
	return found != term, err
}

func (s *Store) termOf(index uint64) (uint64, error) {
	var log raft.Log
	if err := s.backend.GetLog(index, &log); err != nil {
		return 0, fmt.Errorf("read entry %d: %w", index, err)
	}
	return log.Term, nil
}

// Holds tells whether the log has the entry of that index and term itself: nothing needs to be installed then. Where it has an
// entry of another term, conflict is set (see RequestCut).
func (s *Store) Holds(index, term uint64) (held, conflict bool, err error) {
	first, last := s.bounds()
	if last == 0 || index < first || index > last {
		return false, false, nil
	}
	found, err := s.termOf(index)
	if errors.Is(err, raft.ErrLogNotFound) {
		// It was deleted meanwhile.
		return false, false, nil
	}
	return err == nil && found == term, err == nil && found != term, err
}
