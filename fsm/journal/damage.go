package journal

import (
	"errors"
	"fmt"
	"os"
	"slices"
)

// suspect is a file with a segment's name that does not fit where it is.
type suspect struct {
	first  uint64
	reason error
}

// decideAt is decide for a caller that holds writing only.
func (j *Journal) decideAt(at uint64) error {
	j.mu.RLock()
	undecided := j.undecided
	j.mu.RUnlock()
	if !undecided {
		return nil
	}
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.decide(at)
}

// decide settles what the scan found damaged, now that the owner has said that it goes on after entry at. Behind that it
// is what a crash tore: nothing relied on it, and it is removed. Before it, it was durable: damage. Such a segment is set
// aside, and the hole that it leaves is filled from other members. The caller holds all locks.
func (j *Journal) decide(at uint64) error {
	if !j.undecided {
		return nil
	}
	for i := len(j.suspects) - 1; i >= 0; i-- {
		s := j.suspects[i]
		if s.first > at {
			if err := removeIfThere(j.fs, j.path(s.first)); err != nil {
				return err
			}
			j.dirty = true
		} else if err := j.setAside(s.first, s.reason); err != nil {
			return err
		}
	}
	last := len(j.segments) - 1
	for i := last; i >= 0; i-- {
		s := j.segments[i]
		switch {
		case s.fault == nil:
		case i == last:
			if err := s.file.Truncate(int64(headerLen + s.size)); err != nil {
				return err
			}
			s.fault = nil
		case s.until().Sequence < at:
			if err := j.dropDamaged(i, s.fault); err != nil {
				return err
			}
		}
	}
	j.suspects, j.undecided = nil, false
	return nil
}

// dropDamaged sets segment i aside. The caller holds all locks.
func (j *Journal) dropDamaged(i int, reason error) error {
	s := j.segments[i]
	if s.file != nil {
		if err := s.file.Close(); err != nil {
			return err
		}
		s.file = nil
	}
	if err := j.setAside(s.first, reason); err != nil {
		return err
	}
	j.segments = slices.Delete(slices.Clone(j.segments), i, i+1)
	return nil
}

// setAside renames a segment's file, so that it is never served. It stays to be looked at until the hole is filled.
func (j *Journal) setAside(first uint64, reason error) error {
	if err := j.fs.Rename(j.path(first), j.pathOf(first, damagedSuffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("set a damaged segment of the journal aside: %w", err)
	}
	j.dirty = true
	j.logger.Error("a segment of the journal is damaged: it was set aside, its entries are fetched from other members",
		"segment", segmentName(first, suffix), "now", j.pathOf(first, damagedSuffix), "reason", reason)
	j.announce()
	return nil
}

// condemn sets aside the segment that has an entry. The last one is followed by a new one, which goes on where it ended.
func (j *Journal) condemn(sequence uint64, reason error) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	i, missing := j.segmentOf(sequence)
	if missing != nil {
		return nil // somebody was faster
	}
	if err := j.dropDamaged(i, reason); err != nil {
		return err
	}
	if i < len(j.segments) {
		return nil
	}
	_, err := j.beginSegment(j.end)
	if err != nil && j.failed == nil {
		j.failed = err // the journal has no end to append to
	}
	return err
}

// Distrust sets aside everything before a hole: no member's entries lead on from there, so it belongs to another history.
func (j *Journal) Distrust(h Hole) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	if h.After.Sequence == 0 || !slices.Contains(j.holes(), h) {
		return fmt.Errorf("%w: nothing before entry %d is distrusted", ErrReplaced, h.After.Sequence+1)
	}
	return j.dropForeign(h.After.Sequence, fmt.Errorf("what follows entry %d elsewhere does not follow it here", h.After.Sequence))
}

// dropForeign sets aside all segments that begin at or before an entry, the oldest first, so that a crash on the way leaves
// the one that was found to be foreign. The caller holds all locks.
func (j *Journal) dropForeign(until uint64, reason error) error {
	for len(j.segments) > 0 && j.segments[0].first <= until {
		if err := j.dropDamaged(0, reason); err != nil {
			return err
		}
	}
	return nil
}
