package page

import "fmt"

// MemoryError: a page in memory is not what was written to it. Nothing that was read of it, or computed from it, can be
// trusted, and what it was cannot be told.
type MemoryError struct {
	ID
	// Recorded is the part of the digest that the page's records had when they were written, Found what they have now.
	// They are equal where something was found in a place that holds no record.
	Recorded, Found Digest
}

// Error implements error.
func (e *MemoryError) Error() string {
	if e.Recorded == e.Found {
		return fmt.Sprintf("page %d of table %d was changed in memory where it holds no record", e.Number, e.Table)
	}
	return fmt.Sprintf("page %d of table %d was changed in memory: expected records of digest %v, as they were written, found %v",
		e.Number, e.Table, e.Recorded, e.Found)
}

// Cursor is how far a walk of CheckNext has come. The zero value is its beginning.
type Cursor struct {
	store int
	page  uint64 // number of the next one
}

// CheckNext looks at the next page: whether its records are, bit for bit, those that were written, and whether nothing is
// where no record is. It reads one page. more is false, and the cursor back at the beginning, behind the last one. The
// caller has shared access, and may give it up between calls: pages that come meanwhile at the end of a table are seen
// too, those that go are not missed. The error is a *MemoryError; the walk can go on behind it.
func (s *Space) CheckNext(c *Cursor) (more bool, err error) {
	s.mustBeWhole("CheckNext")
	for c.store < len(s.stores) {
		st := s.stores[c.store]
		c.page = max(c.page, st.base)
		if c.page-st.base < uint64(len(st.pages)) {
			c.page++
			return true, st.check(c.page - 1)
		}
		c.store, c.page = c.store+1, 0
	}
	*c = Cursor{}
	return false, nil
}

// check compares a page with what was recorded of it.
func (st *store) check(number uint64) error {
	p := &st.pages[number-st.base]
	found := st.recompute(number)
	if found != p.sum || !st.restIsZero(number) {
		return &MemoryError{ID: ID{Table: st.id, Number: number}, Recorded: p.sum, Found: found}
	}
	return nil
}

// recompute is the digest of a page's live records as they are now.
func (st *store) recompute(number uint64) (d Digest) {
	for pos := max(number*st.perPage, st.head); pos < min((number+1)*st.perPage, st.tail); pos++ {
		d.add(Hash(recordSeed(st.id, pos), st.at(pos)))
	}
	return d
}

// restIsZero reports whether a page is zero before, behind and between its live records.
func (st *store) restIsZero(number uint64) bool {
	data, first := st.pages[number-st.base].data, number*st.perPage
	from := max(first, st.head) - first
	until := max(min(first+st.perPage, st.tail), first+from) - first
	return allZero(data[:from*st.size]) && allZero(data[until*st.size:])
}

func allZero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}
