package page

import (
	"fmt"
)

// breathePages is how many pages are read between two calls of a Breathe.
const breathePages = 32

// Breathe is called between pieces of long work on pages that another space shares, so that changes of that one need not
// wait for all of it: it may give a lock back and take it again. Its error ends the work. nil: no pause.
type Breathe func() error

// every calls it for one page in breathePages.
func (b Breathe) every(page int) error {
	if b == nil || page%breathePages != 0 {
		return nil
	}
	return b()
}

// Reserve makes room for count pages of an empty table, the first of them with that number. Put and Share fill them in any
// order, Loaded ends it. recordSize must be the table's; 0: not known. The caller bounds count.
func (s *Space) Reserve(table uint8, recordSize int, first, count uint64) error {
	st := s.byID[table]
	switch {
	case st == nil:
		return fmt.Errorf("%w: table %d, which this version does not have", ErrLoad, table)
	case recordSize != 0 && uint64(recordSize) != st.size:
		return fmt.Errorf("%w: records of table %d are said to have %d bytes, this version's have %d", ErrLoad, table, recordSize, st.size)
	case len(st.pages) > 0:
		return fmt.Errorf("%w: table %d comes twice", ErrLoad, table)
	case !st.queue && first != 0 || first+count < first || first+count > (1<<64-1)/st.perPage:
		return fmt.Errorf("%w: table %d begins with page %d of %d", ErrLoad, table, first, count)
	}
	st.base, st.pages = first, make([]slab, count)
	return nil
}

// reserved is the place of a page that is still to be filled.
func (s *Space) reserved(id ID) (*slab, error) {
	st := s.byID[id.Table]
	if st == nil || id.Number < st.base || id.Number-st.base >= uint64(len(st.pages)) {
		return nil, fmt.Errorf("%w: no room for page %d of table %d", ErrLoad, id.Number, id.Table)
	}
	p := &st.pages[id.Number-st.base]
	if p.data != nil {
		return nil, fmt.Errorf("%w: page %d of table %d comes twice", ErrLoad, id.Number, id.Table)
	}
	return p, nil
}

// Put fills a reserved page with a copy of the data, Size bytes.
func (s *Space) Put(p Page) error {
	to, err := s.reserved(p.ID)
	if err != nil {
		return err
	}
	if len(p.Data) != Size {
		return fmt.Errorf("%w: page %d of table %d has %d bytes, want %d", ErrLoad, p.Number, p.Table, len(p.Data), Size)
	}
	data := new([Size]byte)
	copy(data[:], p.Data)
	to.data, to.index = data, p.Index
	s.newest = max(s.newest, p.Index)
	return nil
}

// Peek is the page as it is now; false where there is none. The data is the page's own: it is read only, and not beyond the
// shared access under which it was got.
func (s *Space) Peek(id ID) (Page, bool) {
	st := s.byID[id.Table]
	if st == nil || id.Number < st.base || id.Number-st.base >= uint64(len(st.pages)) {
		return Page{}, false
	}
	p := st.pages[id.Number-st.base]
	if p.data == nil {
		return Page{}, false
	}
	return Page{ID: id, Index: p.index, RecordSize: int(st.size), Data: p.data[:]}, true
}

// Share fills a reserved page with the very page that from has: one memory for both. From then on nobody may change it in
// either space, but the one that outlives the other: SharedWith tells whether that was so.
func (s *Space) Share(from *Space, id ID) error {
	to, err := s.reserved(id)
	if err != nil {
		return err
	}
	other := from.byID[id.Table]
	if other == nil || other.size != s.byID[id.Table].size || id.Number < other.base || id.Number-other.base >= uint64(len(other.pages)) {
		return fmt.Errorf("%w: there is no page %d of table %d to share", ErrLoad, id.Number, id.Table)
	}
	*to = other.pages[id.Number-other.base]
	s.newest = max(s.newest, to.index)
	s.shared = append(s.shared, id)
	return nil
}

// SharedWith is an error where from has changed a page since it was shared. It compares indexes and reads no page.
func (s *Space) SharedWith(from *Space) error {
	for _, id := range s.shared {
		mine, _ := s.Peek(id)
		theirs, ok := from.Peek(id)
		if !ok || &theirs.Data[0] != &mine.Data[0] || theirs.Index != mine.Index {
			return fmt.Errorf("page %d of table %d was shared at index %d and is at %d now", id.Number, id.Table, mine.Index, theirs.Index)
		}
	}
	return nil
}

// Unshare forgets what is shared, once the other space is given up.
func (s *Space) Unshare() { s.shared = nil }
