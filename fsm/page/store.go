package page

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// store is what tables and queues have in common: records at positions head..tail-1, page by page.
type store struct {
	space   *Space
	order   int // of declaration
	id      uint8
	queue   bool
	size    uint64 // of a record, bytes
	perPage uint64 // records
	inverse uint64 // of perPage: see locate
	head    uint64 // first live position; 0 for tables
	tail    uint64 // behind the last live position
	base    uint64 // number of pages[0]
	pages   []slab
}

// slab is a page, the newest index of a change to it, and the part of the digest that its live records are: kept
// incrementally, so that CheckNext can tell for one page whether memory still holds what was written.
type slab struct {
	data  *[Size]byte
	index uint64
	sum   Digest
}

// inverseOf is the factor that divides by perPage, at least 2: ceil(2^64 / perPage).
func inverseOf(perPage uint64) uint64 { return ^uint64(0)/perPage + 1 }

// number is that of the page that a position is on: pos / perPage, by a multiplication, since every record's change asks
// for it and a division takes several times as long. It is exact below 2^54: the factor is too large by less than
// perPage in 2^64, and perPage is at most 1,024.
func (st *store) number(pos uint64) uint64 {
	number, _ := bits.Mul64(pos, st.inverse)
	return number
}

// locate is the page that a position is on, and its record.
func (st *store) locate(pos uint64) (*slab, []byte) {
	number := st.number(pos)
	p, off := &st.pages[number-st.base], (pos-number*st.perPage)*st.size
	return p, p.data[off : off+st.size : off+st.size]
}

func (st *store) at(pos uint64) []byte {
	_, rec := st.locate(pos)
	return rec
}

func (st *store) get(pos uint64) []byte {
	st.mustHave(pos)
	return st.at(pos)
}

func (st *store) mustHave(pos uint64) {
	if pos < st.head || pos >= st.tail {
		st.missing(pos)
	}
}

// missing is apart from mustHave so that the check is inlined.
func (st *store) missing(pos uint64) {
	panic(fmt.Sprintf("page: table %d has positions %d to %d, not %d", st.id, st.head, st.tail, pos))
}

func (st *store) append(index uint64) (uint64, []byte) {
	pos := st.tail
	if n := st.number(pos); len(st.pages) == 0 {
		st.base = n
		st.pages = append(st.pages, slab{data: new([Size]byte)})
	} else if n == st.base+uint64(len(st.pages)) {
		st.pages = append(st.pages, slab{data: new([Size]byte)})
	}
	st.tail++
	st.space.begun++
	rec := st.at(pos)
	binary.LittleEndian.PutUint64(rec, index)
	return pos, rec
}

func (st *store) begin(pos uint64) []byte {
	st.mustHave(pos)
	p, rec := st.locate(pos)
	st.preserve(pos, rec)
	st.exclude(p, pos, rec)
	st.space.begun++
	return rec
}

func (st *store) end(pos, index uint64) {
	p, rec := st.locate(pos)
	binary.LittleEndian.PutUint64(rec, index)
	st.include(p, pos, rec)
	st.space.begun--
	st.touch(p, pos, index)
}

// include adds a record's hash to the digest and to its page's part of it.
func (st *store) include(p *slab, pos uint64, rec []byte) {
	lo, hi := Hash(recordSeed(st.id, pos), rec)
	st.space.digest.add(lo, hi)
	p.sum.add(lo, hi)
}

// exclude takes it out.
func (st *store) exclude(p *slab, pos uint64, rec []byte) {
	lo, hi := Hash(recordSeed(st.id, pos), rec)
	st.space.digest.sub(lo, hi)
	p.sum.sub(lo, hi)
}

// touch moves the indexes of a page and of the space forward.
func (st *store) touch(p *slab, pos, index uint64) {
	if index == 0 || index < st.space.newest {
		panic(fmt.Sprintf("page: index %d after %d: indexes start at 1 and never fall", index, st.space.newest))
	}
	for _, v := range st.space.views {
		v.preserveIndex(st, st.number(pos), p.index, index)
	}
	if p.index <= st.space.rebase {
		st.space.fresh++
	}
	p.index, st.space.newest = index, index
}

// preserve keeps the record for the views that still have to read it as it is.
func (st *store) preserve(pos uint64, rec []byte) {
	for _, v := range st.space.views {
		v.preserve(st, pos, rec)
	}
}

// dropHead zeroes the oldest record, so that a page's bytes do not depend on history, and frees its page with the last
// of its records.
func (st *store) dropHead(index uint64) {
	st.mustHave(st.head)
	pos := st.head
	p, rec := st.locate(pos)
	st.preserve(pos, rec)
	st.exclude(p, pos, rec)
	clear(rec)
	st.touch(p, pos, index)
	st.head++
	if st.head%st.perPage == 0 {
		st.pages[0] = slab{}
		st.pages = st.pages[1:]
		st.base++
	}
}
