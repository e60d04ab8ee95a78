package page

import "fmt"

// Size of a page, bytes.
const Size = 16 << 10

// indexBytes is the length of the index at the start of every record.
const indexBytes = 8

// ID names a page within a Space.
type ID struct {
	Table  uint8
	Number uint64
}

// Space is a set of tables and queues with one digest. The owner declares them all right after NewSpace, in a fixed
// order, and never changes their ids and record sizes: both are part of every stored page.
type Space struct {
	stores []*store // in order of declaration
	byID   [256]*store
	digest Digest
	newest uint64 // newest index of any change
	rebase uint64 // newest at Rebase
	fresh  uint64 // pages changed since
	begun  int    // records between Begin and End
	views  []*View
	shared []ID // pages that are another space's too: see Share
}

// NewSpace makes an empty space.
func NewSpace() *Space { return &Space{} }

func (s *Space) declare(id uint8, recordSize int) *store {
	if s.byID[id] != nil {
		panic(fmt.Sprintf("page: table %d is declared twice", id))
	}
	if recordSize < 2*indexBytes || recordSize > Size/2 || recordSize%8 != 0 {
		panic(fmt.Sprintf("page: table %d: a record of %d bytes; want 16 to %d, a multiple of 8", id, recordSize, Size/2))
	}
	st := &store{space: s, order: len(s.stores), id: id, size: uint64(recordSize), perPage: uint64(Size / recordSize)}
	st.inverse = inverseOf(st.perPage)
	s.stores = append(s.stores, st)
	s.byID[id] = st
	return st
}

// Table declares a table of records of recordSize bytes, a multiple of 8, index included.
func (s *Space) Table(id uint8, recordSize int) *Table { return &Table{s.declare(id, recordSize)} }

// Queue declares a queue of records of recordSize bytes, a multiple of 8, index included.
func (s *Space) Queue(id uint8, recordSize int) *Queue {
	st := s.declare(id, recordSize)
	st.queue = true
	return &Queue{st}
}

// Digest is the digest of all live records.
func (s *Space) Digest() Digest {
	s.mustBeWhole("Digest")
	return s.digest
}

// RecomputeDigest is the digest of all live records as read from the pages now: it differs from Digest where memory was
// changed behind the tables' backs. It reads everything: about 8 ns a record and more where memory is cold.
func (s *Space) RecomputeDigest() Digest {
	s.mustBeWhole("RecomputeDigest")
	var d Digest
	for _, st := range s.stores {
		for i := range st.pages {
			sum := st.recompute(st.base + uint64(i))
			d.add(sum[0], sum[1])
		}
	}
	return d
}

// NewestIndex is the newest index of any change.
func (s *Space) NewestIndex() uint64 { return s.newest }

// Rebase begins to count anew which pages change.
func (s *Space) Rebase() { s.rebase, s.fresh = s.newest, 0 }

// ChangedPages is how many pages are new or have changed since Rebase.
func (s *Space) ChangedPages() uint64 { return s.fresh }

// Bytes is the memory that pages take.
func (s *Space) Bytes() int64 {
	n := int64(0)
	for _, st := range s.stores {
		n += int64(len(st.pages)) * Size
	}
	return n
}

func (s *Space) mustBeWhole(what string) {
	if s.begun != 0 {
		panic(fmt.Sprintf("page: %s while %d records are between Begin and End", what, s.begun))
	}
}
