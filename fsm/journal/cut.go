package journal

import (
	"errors"
	"fmt"
	"os"
	"slices"
)

// Holds tells whether the journal has an entry end at exactly pos, by sequence number, bytes and hash.
func (j *Journal) Holds(pos Position) (bool, error) {
	j.mu.RLock()
	end := j.end
	j.mu.RUnlock()
	if pos.Sequence > end.Sequence {
		return false, nil
	}
	got, err := j.positionAt(pos.Sequence)
	return got == pos, err
}

// positionAt reads where entry sequence ends.
func (j *Journal) positionAt(sequence uint64) (Position, error) {
	if sequence == 0 {
		return Position{}, nil
	}
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
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if err := j.broken(); err != nil {
		return err
	}
	if pos == j.end {
		return nil
	}
	if err := j.cut(pos); err != nil {
		return j.fail(fmt.Errorf("cut the journal: %w", err))
	}
	return nil
}

func (j *Journal) cut(pos Position) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cuts++
	j.dirty = true
	keep, _ := slices.BinarySearchFunc(j.segments, pos.Sequence+1, func(s *segment, first uint64) int {
		if s.first < first {
			return -1
		}
		return 1
	})
	var gone []uint64
	for _, s := range j.segments[keep:] {
		gone = append(gone, s.first)
		if s.file != nil {
			if err := s.file.Close(); err != nil {
				return err
			}
		}
	}
	j.segments, j.end = j.segments[:keep:keep], pos
	if err := j.removeFiles(gone); err != nil || keep == 0 {
		return err
	}
	return j.cutSegment(j.segments[keep-1], pos)
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
	s.synced = min(s.synced, s.size)
	s.marks = s.marks[:(s.count+marksEvery-1)/marksEvery]
	return s.file.Truncate(int64(headerLen + s.size))
}
