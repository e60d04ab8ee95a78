package journal

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sort"
)

// Holds tells whether the journal has pos between two entries, by sequence number, bytes and hash. The end of a hole is
// held: the segment behind it begins there.
func (j *Journal) Holds(pos Position) (bool, error) {
	got, err := j.positionAt(pos.Sequence)
	if errors.Is(err, ErrMissing) || errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return got == pos, err
}

// At is where the entry of a sequence number ends; 0: where the journal begins. ErrMissing: that lies in a hole.
// ErrNotFound: the journal ends before it.
func (j *Journal) At(sequence uint64) (Position, error) { return j.positionAt(sequence) }

// positionAt is where entry sequence ends.
func (j *Journal) positionAt(sequence uint64) (Position, error) {
	if sequence == 0 {
		return Position{}, nil
	}
	j.mu.RLock()
	i := sort.Search(len(j.segments), func(i int) bool { return j.segments[i].first > sequence })
	if i < len(j.segments) && j.segments[i].first == sequence+1 {
		defer j.mu.RUnlock()
		return j.segments[i].from(), nil
	}
	j.mu.RUnlock()
	c := j.Cursor()
	pos, err := c.position(sequence)
	return pos, errors.Join(err, c.Close())
}

// Truncate cuts the journal behind the entry sequence, which must end at bytes. No fsync: what a crash brings back is
// cut again by the same restore.
func (j *Journal) Truncate(sequence, bytes uint64) error {
	pos, err := j.positionAt(sequence)
	if err != nil {
		return fmt.Errorf("cut the journal: %w", err)
	}
	if pos.Bytes != bytes {
		return fmt.Errorf("cut the journal: entry %d ends at byte %d, want %d: it belongs to another state", sequence, pos.Bytes, bytes)
	}
	return j.change("cut the journal", func() error {
		if !j.reaches(sequence) {
			return fmt.Errorf("%w: the segment that has entry %d was found damaged", ErrMissing, sequence)
		}
		return j.cut(pos)
	})
}

// Place makes the journal go on at a position that a snapshot names. What is behind it is cut. Where the journal ends
// before it, or is another there, a hole lies before it: nothing is read, written or synced for that but one header.
// What a crash undoes is done again by the same restore.
func (j *Journal) Place(at Position) error {
	if at.Sequence == math.MaxUint64 {
		return errors.New("place the journal: no entry can follow the last sequence number")
	}
	held, err := j.Holds(at)
	damaged := errors.Is(err, ErrCorrupt)
	if err != nil && !damaged {
		return fmt.Errorf("place the journal: %w", err)
	}
	return j.place(at, held, damaged)
}

// place does what Place says, where the journal held the position a moment ago, or could not be read there.
func (j *Journal) place(at Position, held, damaged bool) error {
	return j.change("place the journal", func() error {
		if held && j.reaches(at.Sequence) { // the scrub may have condemned that segment meanwhile
			return j.cut(at)
		}
		return j.skip(at, damaged)
	})
}

// reaches reports whether a segment has an entry, or begins behind it. The caller holds mu.
func (j *Journal) reaches(sequence uint64) bool {
	i := sort.Search(len(j.segments), func(i int) bool { return j.segments[i].first > sequence })
	begins := i < len(j.segments) && j.segments[i].first == sequence+1
	return sequence == 0 || begins || i > 0 && j.segments[i-1].until().Sequence >= sequence
}

// change runs do under all locks. A failure is final.
func (j *Journal) change(what string, do func() error) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	if err := do(); err != nil {
		j.failed = fmt.Errorf("%s: %w", what, err)
		return j.failed
	}
	return nil
}

// cut ends the journal at a position that it holds.
func (j *Journal) cut(pos Position) error {
	if pos == j.end && !j.undecided {
		return nil
	}
	if err := j.decide(pos.Sequence); err != nil {
		return err
	}
	keep := sort.Search(len(j.segments), func(i int) bool { return j.segments[i].first > pos.Sequence })
	if pos.Sequence > 0 && (keep == 0 || j.segments[keep-1].until().Sequence < pos.Sequence) {
		keep++ // it is where a hole ends: the segment behind it says so
	}
	if err := j.removeFrom(keep); err != nil {
		return err
	}
	j.end = pos
	if keep == 0 {
		return nil
	}
	return j.cutSegment(j.segments[keep-1], pos)
}

// removeFrom removes segments from the i-th on, the newest first, so that a crash leaves a beginning.
func (j *Journal) removeFrom(i int) error {
	j.cuts++
	j.dirty = true
	for n := len(j.segments) - 1; n >= i; n-- {
		s := j.segments[n]
		if s.file != nil {
			if err := s.file.Close(); err != nil {
				return err
			}
			s.file = nil
		}
		if err := j.fs.Remove(j.path(s.first)); err != nil {
			return err
		}
		j.segments = j.segments[:n:n]
	}
	return nil
}

// cutSegment cuts what becomes the last segment, and opens it for writing again.
func (j *Journal) cutSegment(s *segment, pos Position) error {
	if s.file == nil {
		f, err := j.fs.OpenFile(j.path(s.first), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		s.file = f
	}
	s.count = pos.Sequence - s.first + 1
	s.size = pos.Bytes - s.start
	s.after, s.fault = pos.Hash, nil
	s.synced, s.written = min(s.synced, s.size), min(s.written, headerLen+s.size)
	s.marks = s.marks[:(s.count+marksEvery-1)/marksEvery]
	return s.file.Truncate(int64(headerLen + s.size))
}

// skip makes the journal go on at a position that it does not hold.
func (j *Journal) skip(at Position, damaged bool) error {
	if err := j.decide(at.Sequence); err != nil {
		return err
	}
	n := sort.Search(len(j.segments), func(i int) bool { return j.segments[i].until().Sequence >= at.Sequence })
	switch {
	case n < len(j.segments) && j.segments[n].first <= at.Sequence:
		if err := j.contradict(n, at, damaged); err != nil {
			return err
		}
	default:
		if n > 0 && n == len(j.segments) && j.segments[n-1].count == 0 {
			n-- // the journal was placed there, and nothing came
		}
		if err := j.removeFrom(n); err != nil {
			return err
		}
	}
	j.logger.Info("the journal goes on behind a hole", "sequence", at.Sequence+1, "ended_at", j.lastHeld())
	_, err := j.beginSegment(at)
	j.announce()
	return err
}

// contradict drops segment n, which has an entry end elsewhere than at. Where it cannot be read that is all; otherwise
// everything before it is of another history too.
func (j *Journal) contradict(n int, at Position, damaged bool) error {
	if err := j.removeFrom(n + 1); err != nil {
		return err
	}
	if damaged {
		return j.dropDamaged(n, fmt.Errorf("entry %d cannot be read", at.Sequence))
	}
	return j.dropForeign(at.Sequence, fmt.Errorf("entry %d does not end at byte %d with the hash %016x: it belongs to another history",
		at.Sequence, at.Bytes, at.Hash))
}

// lastHeld is the last entry that is here.
func (j *Journal) lastHeld() uint64 {
	if len(j.segments) == 0 {
		return 0
	}
	return j.segments[len(j.segments)-1].until().Sequence
}
