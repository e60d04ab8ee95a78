package page

import (
	"fmt"
	"hash/maphash"
)

// Index finds a locator (a slot, or the low bits of a position) by the hash of a key. It is derived from records and
// never stored.
//
// It is an extendible hash: a directory of segments, chosen by the top bits of the hash, of up to segmentMax entries
// with linear probing. Growing splits one segment, so that no insert ever waits for all of it to be rehashed.
//
//	entry, 64 bit | tag: top 30 bits of the hash | locator + 1, 34 bits |     0: free
//
// The tag holds the bits that the directory, the place in the segment and a split need, so entries move without their
// keys being looked at. Segments are kept between two thirds and four fifths full: 10 to 12 bytes an entry.
type Index struct {
	seed  maphash.Seed
	depth uint // bits of the hash that the directory uses
	dir   []*segment
	count int
}

type segment struct {
	depth   uint // bits of the hash that all entries share
	used    int
	entries []uint64
}

const (
	locatorBits = 34
	tagBits     = 64 - locatorBits
	segmentMin  = 8
	segmentMax  = 512
	// depthMax leaves the bits of the tag that place an entry in the largest segment.
	depthMax = tagBits - 9
	// MaxLocator is the largest locator that an Index holds.
	MaxLocator = 1<<locatorBits - 2
)

// LocatorBits is how many bits of a position a locator keeps; see Unwrap.
const LocatorBits = locatorBits

// NewIndex makes an empty index with a hash seed of its own.
func NewIndex() *Index { return NewIndexFor(0) }

// NewIndexFor makes an empty index with room for so many entries, which then are inserted without one of them waiting for
// a segment to grow, but for the few segments that chance fills more than the rest. It takes the memory of that many entries at
// once: the caller knows that they come.
func NewIndexFor(count uint64) *Index {
	x := &Index{seed: maphash.MakeSeed()}
	for count>>x.depth > segmentMax*3/4 && x.depth < depthMax {
		x.depth++
	}
	each := int(count >> x.depth)
	x.dir = make([]*segment, 1<<x.depth)
	for i := range x.dir {
		x.dir[i] = resized(nil, x.depth, min(each, segmentMax*2/3))
	}
	return x
}

// Hash of a key in this index. Another index, and this one in another process, answers differently.
func (x *Index) Hash(key []byte) uint64 { return maphash.Bytes(x.seed, key) }

// Len is the number of entries.
func (x *Index) Len() int { return x.count }

// Bytes is the memory that the index takes.
func (x *Index) Bytes() int64 {
	n := int64(len(x.dir) * 8)
	for i := 0; i < len(x.dir); {
		s := x.dir[i]
		n += int64(len(s.entries)*8) + 48
		i += 1 << (x.depth - s.depth)
	}
	return n
}

func (x *Index) segment(hash uint64) *segment { return x.dir[hash>>(64-x.depth)] }

// home is where an entry with this hash belongs in a segment: the bits below those that all entries share.
func (s *segment) home(hash uint64) int {
	return int(hash << s.depth >> 32 * uint64(len(s.entries)) >> 32)
}

func tagOf(hash uint64) uint64 { return hash >> locatorBits << locatorBits }

func (s *segment) next(i int) int {
	if i++; i == len(s.entries) {
		return 0
	}
	return i
}

// distance is how far j lies behind i in the direction of probing.
func (s *segment) distance(i, j int) int {
	if j < i {
		j += len(s.entries)
	}
	return j - i
}

// Find returns the first locator under hash for which same is true.
func (x *Index) Find(hash uint64, same func(locator uint64) bool) (uint64, bool) {
	s, tag := x.segment(hash), tagOf(hash)
	for i := s.home(tag); ; i = s.next(i) {
		e := s.entries[i]
		if e == 0 {
			return 0, false
		}
		if tagOf(e) == tag {
			if locator := e&(1<<locatorBits-1) - 1; same(locator) {
				return locator, true
			}
		}
	}
}

// Touch loads what Find would look at first and answers nothing of meaning: a caller with many keys ahead of it touches
// them all, and waits for memory about once instead of once a key. Keep the answers in some variable, or the compiler
// leaves the loads out.
func (x *Index) Touch(hash uint64) uint64 {
	s := x.segment(hash)
	return s.entries[s.home(tagOf(hash))]
}

// Insert adds an entry. The caller knows that its key is not there yet.
func (x *Index) Insert(hash, locator uint64) {
	if locator > MaxLocator {
		panic(fmt.Sprintf("page: locator %d, at most %d", locator, uint64(MaxLocator)))
	}
	s := x.segment(hash)
	for s.used*5 >= len(s.entries)*4 {
		x.grow(s, hash)
		s = x.segment(hash)
	}
	s.insert(tagOf(hash) | (locator + 1))
	x.count++
}

func (s *segment) insert(e uint64) {
	i := s.home(tagOf(e))
	for s.entries[i] != 0 {
		i = s.next(i)
	}
	s.entries[i] = e
	s.used++
}

// find is the place of an entry, or -1.
func (s *segment) find(e uint64) int {
	for i := s.home(tagOf(e)); s.entries[i] != 0; i = s.next(i) {
		if s.entries[i] == e {
			return i
		}
	}
	return -1
}

// Replace points the entry from one locator to another; false where there is no such entry.
func (x *Index) Replace(hash, from, to uint64) bool {
	s := x.segment(hash)
	i := s.find(tagOf(hash) | (from + 1))
	if i < 0 || to > MaxLocator {
		return false
	}
	s.entries[i] = tagOf(hash) | (to + 1)
	return true
}

// Delete removes the entry; false where there is none.
func (x *Index) Delete(hash, locator uint64) bool {
	s := x.segment(hash)
	i := s.find(tagOf(hash) | (locator + 1))
	if i < 0 {
		return false
	}
	// Shift back what probed past this place, so that no tombstone is needed.
	for j := s.next(i); s.entries[j] != 0; j = s.next(j) {
		if s.distance(s.home(tagOf(s.entries[j])), j) >= s.distance(i, j) {
			s.entries[i] = s.entries[j]
			i = j
		}
	}
	s.entries[i] = 0
	s.used--
	x.count--
	return true
}

// grow makes room in the segment: a larger one, or two where it is at its limit.
func (x *Index) grow(s *segment, hash uint64) {
	if len(s.entries) < segmentMax || s.depth == depthMax {
		*s = *resized(s.entries, s.depth, s.used)
		return
	}
	if s.depth == x.depth {
		dir := make([]*segment, 2*len(x.dir))
		for i, o := range x.dir {
			dir[2*i], dir[2*i+1] = o, o
		}
		x.dir, x.depth = dir, x.depth+1
	}
	var halves [2][]uint64
	for _, e := range s.entries {
		if e != 0 {
			half := e << s.depth >> 63
			halves[half] = append(halves[half], e)
		}
	}
	depth := s.depth + 1
	low, high := resized(halves[0], depth, len(halves[0])), resized(halves[1], depth, len(halves[1]))
	first := hash >> (64 - x.depth) >> (x.depth - s.depth) << (x.depth - s.depth)
	half := uint64(1) << (x.depth - depth)
	for i := range half {
		x.dir[first+i], x.dir[first+half+i] = low, high
	}
}

// resized is a segment of the given entries, used of which are not free, about two thirds full.
func resized(entries []uint64, depth uint, used int) *segment {
	s := &segment{depth: depth, entries: make([]uint64, max(segmentMin, used*3/2+1))}
	for _, e := range entries {
		if e != 0 {
			s.insert(e)
		}
	}
	return s
}
