package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// scan finds the segments and reads them. What follows the first fault is removed.
func (j *Journal) scan() error {
	names, err := j.fs.ReadDir(j.dir)
	if err != nil {
		return err
	}
	var firsts []uint64
	for _, name := range names {
		first, ok := parseSegmentName(name)
		if !ok {
			return fmt.Errorf("%s is no segment of a journal: move it away", name)
		}
		firsts = append(firsts, first)
	}
	slices.Sort(firsts)
	j.dirty = len(firsts) > 0 // whoever made them may have been killed before it synced the directory
	for i, first := range firsts {
		fault, err := j.scanSegment(first)
		if err != nil {
			return err
		}
		if fault != nil {
			j.logger.Warn("journal ends early", "segment", segmentName(first), "sequence", j.end.Sequence+1,
				"bytes", j.end.Bytes, "reason", fault)
			return j.removeFiles(firsts[i+1:])
		}
	}
	return nil
}

// scanSegment reads a segment from disk and adds it. fault tells why it ends before its file does; the file is cut
// there. err is a failure to read or write, or a segment that must not be touched.
func (j *Journal) scanSegment(first uint64) (fault, err error) {
	f, err := j.fs.OpenFile(j.path(first), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	s := &segment{first: first, start: j.end.Bytes, file: f}
	r := bufio.NewReaderSize(f, 1<<20)
	if fault, err = j.scanHeader(r, first); fault != nil || err != nil {
		err = errors.Join(err, f.Close())
		if err == nil {
			err = j.fs.Remove(j.path(first))
		}
		return fault, err
	}
	if n := len(j.segments); n > 0 {
		if err := j.segments[n-1].settle(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	j.segments = append(j.segments, s)
	for {
		entry, more, err := j.nextEntry(r)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			return nil, err
		}
		if err == nil && more {
			err = j.add(s, entry)
		}
		if err != nil || !more {
			return err, s.cutFile(err != nil)
		}
	}
}

// settle makes a full segment that was found on disk durable, in case the process before died and not the machine, and
// closes its file.
func (s *segment) settle() error {
	err := errors.Join(s.file.Sync(), s.file.Close())
	s.file, s.synced = nil, s.size
	return err
}

// cutFile removes what follows the segment's last good entry.
func (s *segment) cutFile(torn bool) error {
	if !torn {
		return nil
	}
	return s.file.Truncate(int64(headerLen + s.size))
}

func (j *Journal) scanHeader(r io.Reader, first uint64) (fault, err error) {
	if first != j.end.Sequence+1 {
		return fmt.Errorf("it begins with sequence %d, want %d", first, j.end.Sequence+1), nil
	}
	header := make([]byte, headerLen)
	if _, err := io.ReadFull(r, header); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("no segment header"), nil
	} else if err != nil {
		return nil, err
	}
	if err := checkHeader(header, j.end); errors.Is(err, ErrNewerVersion) {
		return nil, err
	} else if err != nil {
		return err, nil
	}
	return nil, nil
}

// nextEntry is the next entry, valid until the next read; more is false at the end. ErrCorrupt: it is torn.
func (j *Journal) nextEntry(r *bufio.Reader) (entry []byte, more bool, err error) {
	b, err := r.Peek(j.format.MaxSize())
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	if len(b) == 0 {
		return nil, false, nil
	}
	n, err := j.format.Size(b)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if n <= 0 || n > len(b) {
		return nil, false, fmt.Errorf("%w: torn entry: %d bytes are left of it", ErrCorrupt, len(b))
	}
	if _, err := r.Discard(n); err != nil {
		return nil, false, err
	}
	return b[:n], true, nil
}

// add counts an entry that is in segment s, the last one. Only for a journal that nobody else has yet.
func (j *Journal) add(s *segment, entry []byte) error {
	after, err := j.format.Chain(j.end.Hash, j.end.Sequence+1, entry)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	s.add(&j.end, len(entry), after)
	return nil
}

// add counts an entry of size bytes after end and moves end behind it.
func (s *segment) add(end *Position, size int, after Hash) {
	if s.count%marksEvery == 0 {
		s.marks = append(s.marks, mark{offset: s.size, before: end.Hash})
	}
	s.count++
	s.size += uint64(size)
	end.Sequence++
	end.Bytes += uint64(size)
	end.Hash = after
}

// removeFiles removes segments by their first sequence numbers, the newest first, so that a crash leaves a beginning.
func (j *Journal) removeFiles(firsts []uint64) error {
	for i := len(firsts) - 1; i >= 0; i-- {
		if err := j.fs.Remove(j.path(firsts[i])); err != nil {
			return err
		}
	}
	return nil
}

// path is a segment's. The caller holds mu, or is the writer.
func (j *Journal) path(first uint64) string { return filepath.Join(j.dir, segmentName(first)) }
