package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/ballastdb/ballast/internal/vfs"
)

// scan finds the segments and reads them.
func (j *Journal) scan() error {
	firsts, _, err := j.list()
	if err != nil {
		return err
	}
	j.dirty = len(firsts) > 0 // whoever made them may have been killed before it synced the directory
	for _, first := range firsts {
		if err := j.scanSegment(first); err != nil {
			return err
		}
	}
	for i, s := range j.segments {
		if s.count == 0 && s.fault == nil && i < len(j.segments)-1 {
			s.fault = errors.New("it has no entries")
		}
		if s.fault != nil {
			j.undecided = true
			j.logger.Warn("a segment of the journal ends early", "segment", segmentName(s.first, suffix), "sequence", s.until().Sequence+1,
				"bytes", s.until().Bytes, "reason", s.fault)
		}
	}
	for _, s := range j.suspects {
		j.undecided = true
		j.logger.Warn("a file is not taken as a segment of the journal", "segment", segmentName(s.first, suffix), "reason", s.reason)
	}
	return nil
}

// removeExtra removes what belongs to holes, where there are none any more. scan has run.
func (j *Journal) removeExtra() error {
	if j.undecided || len(j.holes()) > 0 {
		return nil
	}
	_, extra, err := j.list()
	for _, path := range extra {
		err = errors.Join(err, j.fs.Remove(path))
	}
	return err
}

// list is the first sequence numbers of the segments' files, in order, and the paths of what belongs to holes. It makes
// the directory if there is none.
func (j *Journal) list() (firsts []uint64, extra []string, err error) {
	names, err := j.fs.ReadDir(j.dir)
	if errors.Is(err, os.ErrNotExist) {
		if err = j.fs.Mkdir(j.dir, 0o700); err == nil {
			err = j.fs.SyncDir(filepath.Dir(j.dir))
		}
	}
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		first, ending, ok := parseName(name)
		switch {
		case !ok:
			return nil, nil, fmt.Errorf("%s is no part of a journal: move it away", name)
		case ending == suffix:
			firsts = append(firsts, first)
		default:
			extra = append(extra, filepath.Join(j.dir, name))
		}
	}
	slices.Sort(firsts)
	return firsts, extra, nil
}

// scanSegment reads a segment's file and adds it, as far as it is good. err is a failure to read, or a segment that must
// not be touched.
func (j *Journal) scanSegment(first uint64) error {
	f, err := j.fs.OpenFile(j.path(first), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(f, 1<<20)
	from, unfit, err := readHeader(r, first)
	if err == nil && unfit == nil && from.Sequence <= j.end.Sequence && from != j.end {
		unfit = fmt.Errorf("it begins after entry %d, byte %d, hash %016x; what is before it ends after entry %d, byte %d, hash %016x",
			from.Sequence, from.Bytes, from.Hash, j.end.Sequence, j.end.Bytes, j.end.Hash)
	}
	if err != nil || unfit != nil {
		j.suspects = append(j.suspects, suspect{first, unfit})
		return errors.Join(err, f.Close())
	}
	if n := len(j.segments); n > 0 {
		if err := j.segments[n-1].settle(); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	s := newSegment(from)
	s.file = f
	j.segments = append(j.segments, s)
	if err := j.scanEntries(r, s); err != nil {
		return fmt.Errorf("read %s: %w (once it is moved away, its entries are fetched from other members)", j.path(first), err)
	}
	j.end = s.until()
	return nil
}

// settle makes a full segment that was found on disk durable, in case the process before died and not the machine, and
// closes its file.
func (s *segment) settle() error {
	err := errors.Join(s.file.Sync(), s.file.Close())
	s.file, s.synced = nil, s.size
	return err
}

// readHeader is where a segment begins. unfit tells why it is none.
func readHeader(r io.Reader, first uint64) (from Position, unfit, err error) {
	header := make([]byte, headerLen)
	if _, err := io.ReadFull(r, header); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return from, errors.New("no segment header"), nil
	} else if err != nil {
		return from, nil, err
	}
	from, unfit = decodeHeader(header)
	switch {
	case errors.Is(unfit, ErrNewerVersion):
		return from, nil, unfit
	case unfit == nil && from.Sequence+1 != first:
		unfit = fmt.Errorf("its name says that it begins with entry %d, its header entry %d", first, from.Sequence+1)
	}
	return from, unfit, nil
}

// scanEntries adds the good entries that follow a segment's header. Where its file goes on behind them it says why in
// fault.
func (j *Journal) scanEntries(r *bufio.Reader, s *segment) error {
	for {
		entry, more, err := j.nextEntry(r)
		if err == nil && more {
			var after Hash
			if after, err = j.format.Chain(s.after, s.first+s.count, entry); err == nil {
				s.add(len(entry), after)
				continue
			}
			err = fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if errors.Is(err, ErrCorrupt) {
			s.fault, err = err, nil
		}
		return err
	}
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

func removeIfThere(fsys vfs.FS, path string) error {
	if err := fsys.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
