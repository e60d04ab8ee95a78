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
// keys being looked at. The directory says all that is needed to find an entry's place, and fits a core's cache: one
// load from memory answers most lookups. Segments are kept between four sevenths and four fifths full: 10 to 14 bytes an
// entry.
type Index struct {
	seed  maphash.Seed
	depth uint // bits of the hash that the directory uses
	dir   []segment
	count int
}

// segment is a place of the directory. Places whose top bits agree in depth bits share their entries, and the first of
// them counts.
type segment struct {
	entries []uint64
	depth   uint32 // bits of the hash that all entries share
	used    uint32 // only in the first place
}

const (
	locatorBits = 34
	tagBits     = 64 - locatorBits
	segmentMin  = 8
	segmentBits = 11
	segmentMax  = 1 << segmentBits
	// segmentBytes is what a place of the directory takes.
	segmentBytes = 32
	// MaxLocator is the largest locator that an Index holds.
	MaxLocator = 1<<locatorBits - 2
)

// LocatorBits is how many bits of a position a locator keeps; see Unwrap.
const LocatorBits = locatorBits

// NewIndex makes an empty index with a hash seed of its own.
func NewIndex() *Index {
	return &Index{seed: maphash.MakeSeed(), dir: []segment{{entries: make([]uint64, segmentMin)}}}
}

// NewSizedIndex is an empty index with room for about n entries, so that filling it moves next to none of them.
func NewSizedIndex(n uint64) *Index {
	x := NewIndex()
	for n>>x.depth > segmentMax*2/3 && x.depth < maxDepth {
		x.depth++
	}
	places := uint64(1) << x.depth
	x.dir = make([]segment, places)
	size := min(segmentMax, roomFor(n/places))
	for i := range x.dir {
		x.dir[i] = segment{entries: make([]uint64, size), depth: uint32(x.depth)}
	}
	return x
}

// Alike is an empty index with room for about n entries that hashes as this one does: a key that is looked up in both is
// hashed once.
func (x *Index) Alike(n uint64) *Index {
	y := NewSizedIndex(n)
	y.seed = x.seed
	return y
}

// Hash of a key in this index. Another index, unless it is Alike, and this one in another process, answers differently.
func (x *Index) Hash(key []byte) uint64 { return maphash.Bytes(x.seed, key) }

// Len is the number of entries.
func (x *Index) Len() int { return x.count }

// Bytes is the memory that the index takes.
func (x *Index) Bytes() int64 {
	n := int64(len(x.dir)) * segmentBytes
	for i := 0; i < len(x.dir); i += x.places(i) {
		n += int64(len(x.dir[i].entries) * 8)
	}
	return n
}

// place is where the directory has the hash's segment.
func (x *Index) place(hash uint64) int { return int(hash >> (64 - x.depth)) }

// places is how many places have the segment at this one.
func (x *Index) places(at int) int { return 1 << (x.depth - uint(x.dir[at].depth)) }

// first is the first place of the segment that hash belongs to.
func (x *Index) first(hash uint64) int {
	at := x.place(hash)
	return at &^ (x.places(at) - 1)
}

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
	s, tag := &x.dir[x.place(hash)], tagOf(hash)
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

// First is Find for callers that compare keys later: the first locator whose hash looks like this one.
func (x *Index) First(hash uint64) (uint64, bool) {
	s, tag := &x.dir[x.place(hash)], tagOf(hash)
	for i := s.home(tag); ; i = s.next(i) {
		e := s.entries[i]
		if e == 0 {
			return 0, false
		}
		if tagOf(e) == tag {
			return e&(1<<locatorBits-1) - 1, true
		}
	}
}

// Home is what Find would look at first, to be loaded and not to be changed: a caller with many keys ahead of it collects
// these places and loads them one right after another, so that it waits for memory about once instead of once a key.
func (x *Index) Home(hash uint64) *uint64 {
	s := &x.dir[x.place(hash)]
	return &s.entries[s.home(tagOf(hash))]
}

// Insert adds an entry. The caller knows that its key is not there yet.
func (x *Index) Insert(hash, locator uint64) {
	if locator > MaxLocator {
		panic(fmt.Sprintf("page: locator %d, at most %d", locator, uint64(MaxLocator)))
	}
	s := &x.dir[x.first(hash)]
	for int(s.used)*5 >= len(s.entries)*4 {
		x.grow(x.first(hash))
		s = &x.dir[x.first(hash)]
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
	s := &x.dir[x.first(hash)]
	i := s.find(tagOf(hash) | (from + 1))
	if i < 0 || to > MaxLocator {
		return false
	}
	s.entries[i] = tagOf(hash) | (to + 1)
	return true
}

// Delete removes the entry; false where there is none.
func (x *Index) Delete(hash, locator uint64) bool {
	s := &x.dir[x.first(hash)]
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

// maxDepth leaves the tag as many bits as the places in a segment need.
const maxDepth = tagBits - segmentBits

// grow makes room in the segment that begins at a place: a larger one, or two where it is at its limit.
func (x *Index) grow(first int) {
	old := x.dir[first]
	if len(old.entries) < segmentMax || old.depth == maxDepth {
		x.put(first, x.places(first), resized(old.entries, old.depth, int(old.used)))
		return
	}
	if uint(old.depth) == x.depth {
		dir := make([]segment, 2*len(x.dir))
		for i, o := range x.dir {
			dir[2*i], dir[2*i+1] = o, o
		}
		x.dir, x.depth, first = dir, x.depth+1, 2*first
	}
	low, high := split(old)
	n := x.places(first) / 2
	x.put(first, n, low)
	x.put(first+n, n, high)
}

// put makes n places those of s.
func (x *Index) put(first, n int, s segment) {
	for i := range n {
		x.dir[first+i] = s
	}
}

// split makes two segments of one: the next bit of the hash decides. An entry's home grows with its hash, so but for
// those that wrapped around the end the lower half comes first.
func split(old segment) (low, high segment) {
	n := 0
	for _, e := range old.entries {
		if e != 0 {
			n += int(e << old.depth >> 63)
		}
	}
	low = segment{depth: old.depth + 1, entries: make([]uint64, roomFor(old.used-uint32(n)))}
	high = segment{depth: old.depth + 1, entries: make([]uint64, roomFor(uint32(n)))}
	for _, e := range old.entries {
		switch {
		case e == 0:
		case e<<old.depth>>63 == 0:
			low.insert(e)
		default:
			high.insert(e)
		}
	}
	return low, high
}

// roomFor is how many places a segment of n entries gets: it is four sevenths full then. Fuller ones would be moved more
// often as they grow: at two thirds every entry was moved six times, at four sevenths it is three to four times.
func roomFor[T uint32 | uint64 | int](n T) T { return max(segmentMin, n*7/4+1) }

// resized is a segment of the given entries, used of which are not free.
func resized(entries []uint64, depth uint32, used int) segment {
	s := segment{depth: depth, entries: make([]uint64, roomFor(used))}
	for _, e := range entries {
		if e != 0 {
			s.insert(e)
		}
	}
	return s
}
