package journal

import (
	"fmt"
	"os"
)

// Append adds count entries that follow the newest one; after is the chain's hash behind the last of them. They are
// readable when it returns, and durable after the next Sync. A failure is final, the process must end: what is on disk
// is unknown, and so is what the owner's state has that the journal lacks.
func (j *Journal) Append(entries []byte, count int, after Hash) error {
	from := j.End()
	if err := j.appendAll(entries); err != nil {
		return err
	}
	if to := j.End(); to.Sequence-from.Sequence != uint64(count) || to.Hash != after {
		return j.fail(fmt.Errorf("append to the journal: %d entries after %d chain to %016x, want %d and %016x: the state and its journal differ",
			to.Sequence-from.Sequence, from.Sequence, to.Hash, count, after))
	}
	return nil
}

func (j *Journal) appendAll(entries []byte) error {
	if err := j.broken(); err != nil {
		return err
	}
	for end := j.end; len(entries) > 0; {
		n, err := j.appendSome(entries, &end)
		if err != nil {
			return j.fail(fmt.Errorf("append to the journal after sequence %d: %w", j.end.Sequence, err))
		}
		entries = entries[n:]
	}
	return nil
}

// appendSome appends as many entries as go into one segment, moves end behind them and returns their length.
func (j *Journal) appendSome(entries []byte, end *Position) (n int, err error) {
	s, err := j.segmentFor(entries)
	if err != nil {
		return 0, err
	}
	grown := segment{count: s.count, size: s.size}
	for n < len(entries) {
		size, err := j.format.Size(entries[n:])
		if err != nil {
			return 0, err
		}
		if size <= 0 || size > len(entries)-n {
			return 0, fmt.Errorf("%w: torn entry after sequence %d", ErrCorrupt, end.Sequence)
		}
		if grown.size > 0 && grown.size+uint64(size) > j.limit {
			break
		}
		after, err := j.format.Chain(end.Hash, end.Sequence+1, entries[n:n+size])
		if err != nil {
			return 0, err
		}
		grown.add(end, size, after)
		n += size
	}
	if _, err := s.file.WriteAt(entries[:n], int64(headerLen+s.size)); err != nil {
		return 0, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s.count, s.size, s.marks = grown.count, grown.size, append(s.marks, grown.marks...)
	j.end = *end
	return n, nil
}

// segmentFor is the segment that the first of entries goes into: the newest one if it has room, else a new one. It
// depends on nothing but the entries, so that a replay makes the same files.
func (j *Journal) segmentFor(entries []byte) (*segment, error) {
	if n := len(j.segments); n > 0 {
		size, err := j.format.Size(entries)
		if err != nil {
			return nil, err
		}
		if s := j.segments[n-1]; s.size == 0 || s.size+uint64(size) <= j.limit {
			return s, nil
		}
	}
	f, err := j.fs.OpenFile(j.path(j.end.Sequence+1), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	s := &segment{first: j.end.Sequence + 1, start: j.end.Bytes, file: f}
	j.mu.Lock()
	j.segments = append(j.segments, s)
	j.dirty = true
	j.mu.Unlock()
	_, err = f.WriteAt(encodeHeader(s.first, s.start, j.end.Hash), 0)
	return s, err
}
