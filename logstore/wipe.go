package logstore

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// A log that an installed snapshot has replaced goes all at once, on raft's own goroutine: while it goes no vote and no
// heartbeat is answered. raft-wal forgets its files, but a bbolt file of 1 GiB takes seconds. There a word is written
// instead, in one small transaction: entries up to this index are not part of the log. They are deleted afterwards, in the
// background and in chunks; until then nothing reads them, also after a restart. What raft appends next lies right behind the
// snapshot and so beyond the word, whatever the gap between.

// Wipe deletes the whole log. It is for what must be done before raft runs; raft itself calls DeleteRange.
func (s *Store) Wipe() error {
	s.appends.Lock()
	defer s.appends.Unlock()
	_, last := s.bounds()
	if last == 0 {
		return nil
	}
	return s.wipe(last)
}

// wipe deletes all entries, of which last is the newest. The caller holds appends.
func (s *Store) wipe(last uint64) error {
	if s.kind == WAL {
		if err := s.deleteOnce(s.first.Load(), last); err != nil {
			return err
		}
	} else {
		if err := s.setWord(wipedKey, last); err != nil {
			return err
		}
		s.wiped = last
	}
	s.setBounds(0, 0)
	s.keeping.Lock()
	s.keeper.weights.clear()
	s.keeping.Unlock()
	s.wake()
	return nil
}

// firstBeyond is the first index of the log beyond what was wiped: up to last it has no hole.
func (s *Store) firstBeyond(wiped, last uint64) (uint64, error) {
	low, high := wiped+1, last
	for low < high {
		middle := low + (high-low)/2
		switch err := s.backend.GetLog(middle, new(raft.Log)); {
		case err == nil:
			high = middle
		case errors.Is(err, raft.ErrLogNotFound):
			low = middle + 1
		default:
			return 0, fmt.Errorf("read entry %d: %w", middle, err)
		}
	}
	return low, nil
}

// sweep deletes one chunk of what was wiped, and says whether there may be more.
func (s *Store) sweep() (more bool, err error) {
	s.appends.Lock()
	defer s.appends.Unlock()
	if s.kind == WAL || s.wiped == 0 {
		return false, nil
	}
	// Asked again for every chunk: there may be a gap, of any width, between wipes.
	first, err := s.backend.FirstIndex()
	if err != nil || first == 0 || first > s.wiped {
		return false, err
	}
	return true, s.deleteOnce(first, min(s.wiped, first+deleteChunk-1))
}
