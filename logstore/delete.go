package logstore

import (
	"github.com/ballastdb/ballast/internal/guard"
)

// deleteChunk is how many entries one transaction deletes. Appends that arrive meanwhile wait for one chunk, not for all.
const deleteChunk = 512

// DeleteRange deletes the entries low to high, both included, in chunks of their own transactions.
//
// A crash between two chunks must leave a log without a hole, because raft takes whatever lies between the first and
// the last index for granted. So the old end is deleted upwards from the lowest index, the new end downwards from the
// highest; the whole log counts as a new end. While a new end is deleted no append may go beyond it, or it would stand
// behind a hole.
func (s *Store) DeleteRange(low, high uint64) error {
	s.appends.Lock()
	defer s.appends.Unlock()
	first, err := s.bolt.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.bolt.LastIndex()
	if err != nil {
		return err
	}
	low, high = max(low, first), min(high, last)
	switch {
	case last == 0 || low > high:
		return nil
	case !guard.On("bbolt"):
		return s.deleteOnce(low, high)
	case high == last:
		return s.deleteDownwards(low, high)
	}
	return s.deleteUpwards(low, high)
}

// deleteUpwards is called with appends locked, and lets appends in between its chunks.
func (s *Store) deleteUpwards(low, high uint64) error {
	for {
		top := min(high, low+deleteChunk-1)
		if err := s.deleteOnce(low, top); err != nil {
			return err
		}
		if top == high {
			return nil
		}
		low = top + 1
		s.appends.Unlock()
		s.appends.Lock()
	}
}

// deleteDownwards is called with appends locked.
func (s *Store) deleteDownwards(low, high uint64) error {
	for {
		bottom := low
		if high-low >= deleteChunk {
			bottom = high - deleteChunk + 1
		}
		if err := s.deleteOnce(bottom, high); err != nil {
			return err
		}
		if bottom == low {
			return nil
		}
		high = bottom - 1
	}
}

func (s *Store) deleteOnce(low, high uint64) error {
	return s.write("delete entries", func() error { return s.bolt.DeleteRange(low, high) })
}
