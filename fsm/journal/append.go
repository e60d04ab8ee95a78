package journal

import (
	"fmt"
	"os"
)

// Append adds entries that follow the newest one; hashes are the chain's after each of them, as the owner's state has
// computed them. They are readable when it returns, and durable after the next Sync. A failure is final, the process must end:
// what is on disk is unknown, and so is what the owner's state has that the journal lacks.
func (j *Journal) Append(entries []byte, hashes [][2]uint64) error {
	given := &givenChain{format: j.format, hashes: hashes}
	if err := j.appendAll(entries, given.chain); err != nil {
		return err
	}
	if given.used != len(hashes) {
		return j.fail(fmt.Errorf("append to the journal: %d entries, want %d: the state and its journal differ", given.used, len(hashes)))
	}
	return nil
}

// Import is Append for count entries that come from elsewhere: all of them are checked, and after is what they must chain to.
func (j *Journal) Import(entries []byte, count int, after Hash) error {
	from := j.End()
	if err := j.appendAll(entries, j.format.Chain); err != nil {
		return err
	}
	if to := j.End(); to.Sequence-from.Sequence != uint64(count) || to.Hash != after {
		return j.fail(fmt.Errorf("import into the journal: %d entries after %d chain to %016x, want %d and %016x",
			to.Sequence-from.Sequence, from.Sequence, to.Hash, count, after))
	}
	return nil
}

// chaining is what computes the hash behind an entry: a Format's Chain, or one that believes what it was given.
type chaining func(before Hash, sequence uint64, entry []byte) (Hash, error)

// givenChain has the hashes of entries that their owner chained a moment ago. Hashing all of them again took as long as
// making them, so only the first is checked, which ties them to what precedes, and the last.
type givenChain struct {
	format Format
	hashes [][2]uint64
	used   int
}

func (g *givenChain) chain(before Hash, sequence uint64, entry []byte) (Hash, error) {
	if g.used == len(g.hashes) {
		return Hash{}, fmt.Errorf("entry %d: only %d entries were announced: the state and its journal differ", sequence, g.used)
	}
	after := Hash(g.hashes[g.used])
	end := g.used == 0 || g.used == len(g.hashes)-1
	g.used++
	if !end {
		return after, nil
	}
	found, err := g.format.Chain(before, sequence, entry)
	if err == nil && found != after {
		err = fmt.Errorf("entry %d chains to %016x, want %016x: the state and its journal differ", sequence, found, after)
	}
	return after, err
}

func (j *Journal) appendAll(entries []byte, chain chaining) error {
	if err := j.broken(); err != nil {
		return err
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	if err := j.decideAt(j.end.Sequence); err != nil {
		return j.fail(fmt.Errorf("append to the journal: %w", err))
	}
	for len(entries) > 0 {
		n, err := j.appendSome(entries, chain)
		if err != nil {
			return j.fail(fmt.Errorf("append to the journal after sequence %d: %w", j.end.Sequence, err))
		}
		entries = entries[n:]
	}
	return nil
}

// appendSome appends as many entries as go into one segment and returns their length.
func (j *Journal) appendSome(entries []byte, chain chaining) (n int, err error) {
	s, err := j.segmentFor(entries)
	if err != nil {
		return 0, err
	}
	grown, n, err := j.measure(s, entries, chain)
	if err != nil {
		return 0, err
	}
	if _, err := s.file.WriteAt(entries[:n], int64(headerLen+s.size)); err != nil {
		return 0, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s.take(&grown)
	j.end = s.until()
	j.tellGrown(s.size, uint64(n))
	return n, nil
}

// measure counts as many entries as go into segment s, chained; n is their length. s itself does not change.
func (j *Journal) measure(s *segment, entries []byte, chain chaining) (grown segment, n int, err error) {
	grown = segment{first: s.first, start: s.start, count: s.count, size: s.size, after: s.after}
	for n < len(entries) {
		size, err := j.format.Size(entries[n:])
		if err != nil {
			return grown, 0, fmt.Errorf("%w: after sequence %d: %w", ErrCorrupt, grown.until().Sequence, err)
		}
		if size <= 0 || size > len(entries)-n {
			return grown, 0, fmt.Errorf("%w: torn entry after sequence %d", ErrCorrupt, grown.until().Sequence)
		}
		if !grown.fits(size, j.limit) {
			break
		}
		after, err := chain(grown.after, grown.until().Sequence+1, entries[n:n+size])
		if err != nil {
			return grown, 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		grown.add(size, after)
		n += size
	}
	return grown, n, nil
}

// fits reports whether an entry of that size belongs into the segment, not into the next one.
func (s *segment) fits(size int, limit uint64) bool {
	return s.size == 0 || s.size+uint64(size) <= limit
}

// take makes what was measured part of the segment. Behind a segment that was already there, its journal's mu is held.
func (s *segment) take(grown *segment) {
	s.count, s.size, s.after, s.marks = grown.count, grown.size, grown.after, append(s.marks, grown.marks...)
}

// segmentFor is the segment that the first of entries goes into: the newest one if it has room, else a new one. It
// depends on nothing but the entries, so that a replay makes the same files. The caller holds writing.
func (j *Journal) segmentFor(entries []byte) (*segment, error) {
	if n := len(j.segments); n > 0 {
		size, err := j.format.Size(entries)
		if err != nil {
			return nil, err
		}
		if s := j.segments[n-1]; s.fits(size, j.limit) {
			return s, nil
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.beginSegment(j.end)
}

// beginSegment makes an empty segment the last one. The caller holds writing and mu.
func (j *Journal) beginSegment(from Position) (*segment, error) {
	s := newSegment(from)
	f, err := j.fs.OpenFile(j.path(s.first), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	s.file = f
	j.segments, j.end, j.dirty = append(j.segments, s), from, true
	_, err = f.WriteAt(encodeHeader(from), 0)
	return s, err
}
