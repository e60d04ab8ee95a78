package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"

	"github.com/ballastdb/ballast/internal/vfs"
)

// Cursor reads entries. It keeps the file that it read last open: Close it. For one goroutine at a time.
type Cursor struct {
	j     *Journal
	file  vfs.File
	first uint64 // of the open file
	cuts  uint64 // of the journal when it was opened
	buf   []byte
}

// Cursor makes a cursor.
func (j *Journal) Cursor() *Cursor { return &Cursor{j: j} }

// Close closes the cursor's file.
func (c *Cursor) Close() error {
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}

// Entry is the entry of a sequence number, from 1; valid until the next call. The chain is checked around it.
// ErrNotFound: not, or no longer, in the journal. ErrMissing: in a hole. ErrCorrupt: damaged.
func (c *Cursor) Entry(sequence uint64) ([]byte, error) {
	b, err := c.block(sequence)
	if err != nil {
		return nil, err
	}
	var found []byte
	err = c.j.walk(b, func(pos Position, entry []byte) {
		if pos.Sequence == sequence {
			found = entry
		}
	})
	return found, err
}

// position is where the entry of a sequence number ends.
func (c *Cursor) position(sequence uint64) (found Position, err error) {
	b, err := c.block(sequence)
	if err != nil {
		return Position{}, err
	}
	err = c.j.walk(b, func(pos Position, _ []byte) {
		if pos.Sequence == sequence {
			found = pos
		}
	})
	return found, err
}

// block is the entries from one mark to the next, or to the end.
type block struct {
	from, to Position
	data     []byte
}

// block reads the block of an entry.
func (c *Cursor) block(sequence uint64) (block, error) {
	b, offset, err := c.locate(sequence)
	if err != nil {
		return block{}, err
	}
	n := int(b.to.Bytes - b.from.Bytes)
	if cap(c.buf) < n {
		c.buf = make([]byte, n)
	}
	b.data = c.buf[:n]
	if _, err := c.file.ReadAt(b.data, offset); err != nil && !errors.Is(err, io.EOF) {
		return block{}, fmt.Errorf("%w: entry %d cannot be read: %w", ErrCorrupt, sequence, err)
	} else if err != nil {
		err = fmt.Errorf("%w: entry %d: the segment ends at less than %d bytes", ErrCorrupt, sequence, offset+int64(n))
		return block{}, errors.Join(c.j.unchanged(c.cuts), err)
	}
	return b, c.j.unchanged(c.cuts)
}

// locate finds the block of an entry and opens its segment. Full segments and the one that is being written are opened
// by name, apart from the writer's file, and under the lock, so that the name means the segment found.
func (c *Cursor) locate(sequence uint64) (block, int64, error) {
	j := c.j
	j.mu.RLock()
	defer j.mu.RUnlock()
	i, err := j.segmentOf(sequence)
	if err != nil {
		return block{}, 0, err
	}
	s := j.segments[i]
	if c.file == nil || c.first != s.first || c.cuts != j.cuts {
		if err := c.Close(); err != nil {
			return block{}, 0, err
		}
		f, err := j.fs.OpenFile(j.path(s.first), os.O_RDONLY, 0)
		if err != nil {
			return block{}, 0, err
		}
		c.file, c.first, c.cuts = f, s.first, j.cuts
	}
	m := (sequence - s.first) / marksEvery
	from := s.at(m)
	to := s.until()
	if m+1 < uint64(len(s.marks)) {
		to = s.at(m + 1)
	}
	return block{from: from, to: to}, int64(headerLen + s.marks[m].offset), nil
}

// segmentOf is the place of the segment that has an entry. ErrNotFound: there is no such entry. ErrMissing: it is in a hole.
// The caller holds mu.
func (j *Journal) segmentOf(sequence uint64) (int, error) {
	if sequence == 0 || sequence > j.end.Sequence {
		return 0, fmt.Errorf("%w: sequence %d, it has 1 to %d", ErrNotFound, sequence, j.end.Sequence)
	}
	i := sort.Search(len(j.segments), func(i int) bool { return j.segments[i].first > sequence })
	var after Position
	if i > 0 {
		if after = j.segments[i-1].until(); sequence <= after.Sequence {
			return i - 1, nil
		}
	}
	return 0, &MissingError{Hole{After: after, Until: j.segments[i].from()}}
}

// unchanged is ErrReplaced if the journal was cut or replaced since it had cuts.
func (j *Journal) unchanged(cuts uint64) error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if j.cuts != cuts {
		return ErrReplaced
	}
	return nil
}

// walk goes through a block's entries, each with the position behind it, and checks that the chain leads from one end
// to the other. What it yielded is good only if it returns nil.
func (j *Journal) walk(b block, yield func(Position, []byte)) error {
	pos, rest := b.from, b.data
	for len(rest) > 0 {
		n, err := j.format.Size(rest)
		if err == nil && (n <= 0 || n > len(rest)) {
			err = errors.New("torn entry")
		}
		if err == nil {
			pos.Hash, err = j.format.Chain(pos.Hash, pos.Sequence+1, rest[:n])
		}
		if err != nil {
			return fmt.Errorf("%w: entry %d at byte %d: %w", ErrCorrupt, pos.Sequence+1, pos.Bytes, err)
		}
		pos.Sequence++
		pos.Bytes += uint64(n)
		yield(pos, rest[:n:n])
		rest = rest[n:]
	}
	if pos != b.to {
		return fmt.Errorf("%w: entries %d to %d chain to %016x, want entry %d and %016x", ErrCorrupt,
			b.from.Sequence+1, pos.Sequence, pos.Hash, b.to.Sequence, b.to.Hash)
	}
	return nil
}
