package page

import (
	"encoding/binary"
	"fmt"
)

// store is what tables and queues have in common: records at positions head..tail-1, page by page.
type store struct {
	space   *Space
	order   int // of declaration
	id      uint8
	queue   bool
	size    uint64 // of a record, bytes
	perPage uint64 // records
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

func (st *store) slab(pos uint64) *slab { return &st.pages[pos/st.perPage-st.base] }

func (st *store) at(pos uint64) []byte {
	off := pos % st.perPage * st.size
	return st.slab(pos).data[off : off+st.size : off+st.size]
}

func (st *store) get(pos uint64) []byte {
	st.mustHave(pos)
	return st.at(pos)
}

func (st *store) mustHave(pos uint64) {
	if pos < st.head || pos >= st.tail {
		panic(fmt.Sprintf("page: table %d has positions %d to %d, not %d", st.id, st.head, st.tail, pos))
	}
}

func (st *store) append(index uint64) (uint64, []byte) {
	pos := st.tail
	if n := pos / st.perPage; len(st.pages) == 0 {
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
	rec := st.at(pos)
	st.preserve(pos, rec)
	st.exclude(pos, rec)
	st.space.begun++
	return rec
}

func (st *store) end(pos, index uint64) {
	rec := st.at(pos)
	binary.LittleEndian.PutUint64(rec, index)
	st.include(pos, rec)
	st.space.begun--
	st.touch(pos, index)
}

// include adds a record's hash to the digest and to its page's part of it.
func (st *store) include(pos uint64, rec []byte) {
	lo, hi := Hash(recordSeed(st.id, pos), rec)
	st.space.digest.add(lo, hi)
	st.slab(pos).sum.add(lo, hi)
}

// exclude takes it out.
func (st *store) exclude(pos uint64, rec []byte) {
	lo, hi := Hash(recordSeed(st.id, pos), rec)
	st.space.digest.sub(lo, hi)
	st.slab(pos).sum.sub(lo, hi)
}

// touch moves the indexes of a page and of the space forward.
func (st *store) touch(pos, index uint64) {
	number, p := pos/st.perPage, st.slab(pos)
	if index == 0 || index < st.space.newest {
		panic(fmt.Sprintf("page: index %d after %d: indexes start at 1 and never fall", index, st.space.newest))
	}
	for _, v := range st.space.views {
		v.preserveIndex(st, number, p.index, index)
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
	pos, rec := st.head, st.at(st.head)
	st.preserve(pos, rec)
	st.exclude(pos, rec)
	clear(rec)
	st.touch(pos, index)
	st.head++
	if st.head%st.perPage == 0 {
		st.pages[0] = slab{}
		st.pages = st.pages[1:]
		st.base++
	}
}
