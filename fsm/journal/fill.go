package journal

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Errors of filling a hole.
var (
	// ErrForeign: the entries are not the ones that are missing.
	ErrForeign = errors.New("entries of another history")
	// ErrFilling: a hole is being filled already.
	ErrFilling = errors.New("a hole of the journal is being filled already")
)

// Filler takes in the entries of a hole, from its left, into files of their own. They become part of the journal only when
// they have led to the hash at which the hole ends. For one goroutine; Close it.
type Filler struct {
	j        *Journal
	hole     Hole
	segments []*segment // the last one is open for writing; those before are durable
}

// Fill starts to fill a hole, or goes on with what a Filler before, also of an earlier run, had of it. ErrReplaced: there is
// no such hole. ErrFilling: another one is being filled.
func (j *Journal) Fill(h Hole) (*Filler, error) {
	j.mu.Lock()
	switch {
	case j.filling:
		j.mu.Unlock()
		return nil, ErrFilling
	case j.failed != nil:
		j.mu.Unlock()
		return nil, j.failed
	case !slices.Contains(j.holes(), h):
		j.mu.Unlock()
		return nil, fmt.Errorf("%w: no hole from entry %d to %d", ErrReplaced, h.After.Sequence+1, h.Until.Sequence)
	}
	j.filling = true
	j.mu.Unlock()
	f := &Filler{j: j, hole: h}
	if err := f.resume(); err != nil {
		return nil, errors.Join(fmt.Errorf("fill a hole of the journal: %w", err), f.Close())
	}
	return f, nil
}

// At is the end of what is here.
func (f *Filler) At() Position {
	if n := len(f.segments); n > 0 {
		return f.segments[n-1].until()
	}
	return f.hole.After
}

// Hole is what is being filled.
func (f *Filler) Hole() Hole { return f.hole }

// resume takes up what is on disk as far as it is good, and removes what no hole needs.
func (f *Filler) resume() error {
	_, extra, err := f.j.list()
	if err != nil {
		return err
	}
	slices.Sort(extra)
	holes := f.j.Holes()
	for _, path := range extra {
		first, ending, _ := parseName(filepath.Base(path))
		if ending != fillSuffix {
			continue
		}
		if !f.hole.has(first) && slices.ContainsFunc(holes, func(h Hole) bool { return h.has(first) }) {
			continue // of another hole
		}
		taken := false
		if first == f.At().Sequence+1 && f.hole.has(first) {
			if taken, err = f.take(path); err != nil {
				return err
			}
		}
		if !taken {
			if err := f.j.fs.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// take takes up one file; false: it is of no use.
func (f *Filler) take(path string) (bool, error) {
	file, err := f.j.fs.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	r := bufio.NewReaderSize(file, 1<<20)
	from, unfit, err := readHeader(r, f.At().Sequence+1)
	if err != nil || unfit != nil || from != f.At() {
		return false, errors.Join(err, file.Close())
	}
	s := newSegment(from)
	if err = f.j.scanEntries(r, s); err == nil && s.fault != nil {
		s.fault, err = nil, file.Truncate(int64(headerLen+s.size))
	}
	if err != nil || s.count == 0 || f.beyond(s.until()) {
		return false, errors.Join(err, file.Close())
	}
	if err := f.finishLast(); err != nil {
		return false, errors.Join(err, file.Close())
	}
	s.file = file
	f.segments = append(f.segments, s)
	return true, nil
}

// beyond reports whether the hole ends before, or elsewhere.
func (f *Filler) beyond(at Position) bool {
	return at.Sequence > f.hole.Until.Sequence || at.Sequence == f.hole.Until.Sequence && at != f.hole.Until
}

// Write takes whole entries that follow At. ErrCorrupt: they do not, and At is behind those that did. ErrForeign: they went
// on to the hole's end and are not what is missing, so everything is dropped.
func (f *Filler) Write(entries []byte) error {
	for len(entries) > 0 {
		n, err := f.writeSome(entries)
		if err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// writeSome writes as many entries as go into one file and returns their length.
func (f *Filler) writeSome(entries []byte) (int, error) {
	size, err := f.j.format.Size(entries)
	if err != nil {
		return 0, fmt.Errorf("%w: after sequence %d: %w", ErrCorrupt, f.At().Sequence, err)
	}
	var s *segment
	if n := len(f.segments); n > 0 && f.segments[n-1].fits(size, f.j.limit) {
		s = f.segments[n-1]
	} else {
		s = newSegment(f.At())
	}
	grown, n, err := f.j.measure(s, entries, f.j.format.Chain)
	if err != nil {
		return 0, err
	}
	if f.beyond(grown.until()) {
		return 0, errors.Join(fmt.Errorf("%w: they lead to %+v, the hole ends at %+v", ErrForeign, grown.until(), f.hole.Until), f.Discard())
	}
	if s.file == nil {
		if err := f.begin(s); err != nil {
			return 0, errors.Join(err, f.Discard())
		}
	}
	if _, err := s.file.WriteAt(entries[:n], int64(headerLen+s.size)); err != nil {
		return 0, errors.Join(err, f.Discard())
	}
	s.take(&grown)
	return n, nil
}

// begin makes the next file.
func (f *Filler) begin(s *segment) error {
	if err := f.finishLast(); err != nil {
		return err
	}
	file, err := f.j.fs.OpenFile(f.path(s), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	s.file = file
	f.segments = append(f.segments, s)
	_, err = file.WriteAt(encodeHeader(s.from()), 0)
	return err
}

// finishLast makes the last file durable and closes it.
func (f *Filler) finishLast() error {
	n := len(f.segments)
	if n == 0 || f.segments[n-1].file == nil {
		return nil
	}
	if err := f.segments[n-1].settle(); err != nil {
		return err
	}
	return f.j.fs.SyncDir(f.j.dir)
}

func (f *Filler) path(s *segment) string { return f.j.pathOf(s.first, fillSuffix) }

// Discard drops what is here, so that filling begins anew.
func (f *Filler) Discard() error {
	err := f.closeFile()
	for _, s := range slices.Backward(f.segments) {
		err = errors.Join(err, removeIfThere(f.j.fs, f.path(s)))
	}
	f.segments = nil
	return err
}

// Close ends the filling. What is here stays for the next Filler.
func (f *Filler) Close() error {
	err := f.closeFile()
	f.j.mu.Lock()
	defer f.j.mu.Unlock()
	f.j.filling = false
	return err
}

func (f *Filler) closeFile() error {
	n := len(f.segments)
	if n == 0 || f.segments[n-1].file == nil {
		return nil
	}
	err := f.segments[n-1].file.Close()
	f.segments[n-1].file = nil
	return err
}
