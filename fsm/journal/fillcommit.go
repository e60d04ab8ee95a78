package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// Commit makes the entries durable and then part of the journal, once they have led to where the hole ends. A crash on the
// way leaves a smaller hole and the rest of what fills it. ErrReplaced: the hole is gone; what is here is of no use.
func (f *Filler) Commit() error {
	if at := f.At(); at != f.hole.Until {
		return fmt.Errorf("the hole is filled to entry %d, it ends at %d: not part of the journal yet", at.Sequence, f.hole.Until.Sequence)
	}
	if err := f.finishLast(); err != nil {
		return errors.Join(fmt.Errorf("make the entries of a hole durable: %w", err), f.Discard())
	}
	for len(f.segments) > 0 {
		if err := f.j.insert(f.segments[0], f.path(f.segments[0]), f.hole.Until); err != nil {
			return err
		}
		f.segments = f.segments[1:]
	}
	if err := f.j.fs.SyncDir(f.j.dir); err != nil {
		return fmt.Errorf("sync the journal's directory: %w", err)
	}
	return f.j.forgetDamaged()
}

// insert makes a durable file a segment, in the hole that ends at until.
func (j *Journal) insert(s *segment, path string, until Position) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	i := slices.IndexFunc(j.segments, func(s *segment) bool { return s.from() == until })
	var after Position
	if i > 0 {
		after = j.segments[i-1].until()
	}
	if i < 0 || after != s.from() {
		return fmt.Errorf("%w: there is no hole from entry %d to %d any more", ErrReplaced, s.first, until.Sequence)
	}
	if err := j.fs.Rename(path, j.path(s.first)); err != nil {
		return fmt.Errorf("put filled entries into the journal: %w", err)
	}
	j.dirty = true
	j.segments = slices.Insert(slices.Clone(j.segments), i, s)
	return nil
}

// forgetDamaged removes the files that were set aside for holes that are filled.
func (j *Journal) forgetDamaged() error {
	_, extra, err := j.list()
	if err != nil {
		return err
	}
	holes := j.Holes()
	for _, path := range extra {
		name := filepath.Base(path)
		first, ending, _ := parseName(name)
		if ending != damagedSuffix || slices.ContainsFunc(holes, func(h Hole) bool { return h.has(first) }) {
			continue
		}
		if err := removeIfThere(j.fs, path); err != nil {
			return err
		}
		j.logger.Info("the entries of a damaged segment of the journal are back: the file that was set aside is removed", "file", name)
	}
	return nil
}
