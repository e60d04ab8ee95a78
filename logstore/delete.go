package logstore

import (
	"fmt"
	"math"
	"time"

	"github.com/ballastdb/ballast/internal/guard"
)

// deleteChunk is how many entries one transaction of a bbolt file deletes. Appends that arrive meanwhile wait for one chunk,
// not for all. raft-wal deletes by forgetting files, in one step.
const deleteChunk = 512

// end of a log that a delete is at.
type end int

const (
	oldEnd  end = iota // what is covered by a snapshot and no longer needed
	newEnd             // what is in conflict with the leader's log
	allOfIt            // what an installed snapshot has replaced
)

// DeleteRange deletes the entries low to high, both included, at either end of the log. Raft calls it for three reasons, which
// only what is applied and the newest snapshot tell apart:
//
//   - entries beyond what is applied are the new end, in conflict with the leader's: they go, all of them;
//   - the whole log, where it ends before the newest snapshot, was replaced by that when it was installed: it goes;
//   - everything else is an old end. Raft asks for more than may go: the snapshot's own entry is needed to compare terms, what
//     lies behind is in no snapshot, and other members may lag. Where a Retention is set, it decides, in the background, and
//     raft's wish is nothing but its occasion.
//
// A crash between two chunks must leave a log without a hole, because raft takes whatever lies between the first and
// the last index for granted. So the old end is deleted upwards from the lowest index, the new end downwards from the
// highest. While a new end is deleted no append may go beyond it, or it would stand behind a hole.
func (s *Store) DeleteRange(low, high uint64) error {
	s.appends.Lock()
	defer s.appends.Unlock()
	first, last := s.bounds()
	low, high = max(low, first), min(high, last)
	if last == 0 || low > high {
		return nil
	}
	if low > first && high < last {
		return fmt.Errorf("delete entries %d to %d: expected them at an end of the log, which has %d to %d", low, high, first, last)
	}
	switch s.endOf(low, high) {
	case allOfIt:
		return s.wipe(last)
	case newEnd:
		return s.deleteDownwards(low)
	default:
		return s.deleteOldEnd(high)
	}
}

// endOf tells raft's reasons apart. The caller holds appends.
func (s *Store) endOf(low, high uint64) end {
	_, last := s.bounds()
	h := s.hooks.Load()
	switch {
	case h == nil && high == last:
		return newEnd
	case h == nil:
		return oldEnd
	case low > h.Applied() && high == last:
		return newEnd
	}
	if mark, _ := h.Snapshot(); high == last && last < mark {
		return allOfIt
	}
	return oldEnd
}

// deleteOldEnd deletes what may go of the entries up to high. The caller holds appends.
func (s *Store) deleteOldEnd(high uint64) error {
	s.keeping.Lock()
	set := s.keeper.set
	s.keeping.Unlock()
	if set {
		s.wake()
		return nil
	}
	lowest := s.keepFrom(time.Now(), high+1)
	return s.deleteUpwards(lowest)
}

// keepFrom is the lowest index that must stay, where asked is what raft needs at least. It breaks pins.
func (s *Store) keepFrom(now time.Time, asked uint64) uint64 {
	mark := uint64(math.MaxUint64)
	if h := s.hooks.Load(); h != nil && guard.On("log-clamp") {
		mark, _ = h.Snapshot()
	}
	s.keeping.Lock()
	lowest, gone := s.keeper.keep(now, asked, mark)
	s.keeping.Unlock()
	for _, b := range gone {
		s.logger.Warn("the log is no longer kept for a member that is catching up: it may need a newer snapshot",
			"from", b.pin.index, "expired", b.expired, "bytes", b.bytes)
		close(b.pin.broken)
	}
	return lowest
}

// deleteUpwards deletes the entries below lowest, and lets appends in between its chunks. The caller holds appends.
func (s *Store) deleteUpwards(lowest uint64) error {
	for {
		first, last := s.bounds()
		if last == 0 || first >= lowest {
			return nil
		}
		if err := s.deleteOldest(s.chunk(lowest)); err != nil {
			return err
		}
		s.appends.Unlock()
		s.appends.Lock()
	}
}

// chunk is the highest index that one step of deleting everything below lowest deletes. The caller holds appends.
func (s *Store) chunk(lowest uint64) uint64 {
	if s.kind != WAL && !guard.On("bbolt") {
		return lowest - 1
	}
	s.keeping.Lock()
	defer s.keeping.Unlock()
	first, w := s.first.Load(), &s.keeper.weights
	if len(w.blocks) == 0 || w.blocks[0].first != first {
		// Not weighed yet.
		return min(first+s.trimming.chunkEntries, lowest) - 1
	}
	return w.upTo(lowest, s.trimming.chunkBytes, s.trimming.chunkEntries)
}

// deleteOldest deletes the entries up to high, in one step. The caller holds appends.
func (s *Store) deleteOldest(high uint64) error {
	first, last := s.bounds()
	high = min(high, last)
	if err := s.deleteOnce(first, high); err != nil {
		return err
	}
	if high == last {
		s.setBounds(0, 0)
	} else {
		s.first.Store(high + 1)
	}
	s.keeping.Lock()
	s.keeper.weights.dropBelow(high + 1)
	s.keeping.Unlock()
	return nil
}

// deleteDownwards deletes the entries from low to the last. The caller holds appends.
func (s *Store) deleteDownwards(low uint64) error {
	for {
		first, last := s.bounds()
		bottom := low
		if s.kind != WAL && guard.On("bbolt") && last-low >= deleteChunk {
			bottom = last - deleteChunk + 1
		}
		if err := s.deleteOnce(bottom, last); err != nil {
			return err
		}
		if bottom == first {
			s.setBounds(0, 0)
		} else {
			s.last.Store(bottom - 1)
		}
		s.keeping.Lock()
		s.keeper.weights.cutFrom(bottom)
		s.keeping.Unlock()
		if bottom == low {
			return nil
		}
	}
}

func (s *Store) deleteOnce(low, high uint64) error {
	return s.write("delete entries", func() error { return s.backend.DeleteRange(low, high) })
}
