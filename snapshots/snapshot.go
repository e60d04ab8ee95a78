package snapshots

import (
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/page"
)

// Snapshot is an open snapshot. It may be read by several goroutines; it stays readable when newer ones are taken.
type Snapshot struct {
	*Manifest
	store     *Store
	openPacks []*pack
	closed    bool
}

// ErrNoPage is wrapped by ReadPage's error for a page that the state does not have.
var ErrNoPage = errors.New("snapshots: the state has no such page")

// ReadPage fills buf, page.Size bytes, with a page, checked, and answers the index of its newest change.
func (s *Snapshot) ReadPage(id page.ID, buf []byte) (uint64, error) {
	i, ok := s.find(id)
	if !ok {
		return 0, fmt.Errorf("%w: page %d of table %d at index %d", ErrNoPage, id.Number, id.Table, s.Index)
	}
	ref := s.pages[i]
	return ref.index, s.openPacks[ref.pack].read(id, ref, buf)
}

// bad reports whether the page at a place was found damaged.
func (s *Snapshot) bad(i int) bool {
	ref := s.pages[i]
	return s.openPacks[ref.pack].damaged(ref.offset)
}

// Walk reads and checks every page in order and stops at the first error. The data is valid until yield returns.
func (s *Snapshot) Walk(yield func(page.Page) error) error {
	buf := make([]byte, page.Size)
	i := 0
	for _, t := range s.tables {
		for n := range t.count {
			ref, id := s.pages[i], page.ID{Table: t.id, Number: t.first + n}
			if err := s.openPacks[ref.pack].read(id, ref, buf); err != nil {
				return err
			}
			if err := yield(page.Page{ID: id, Index: ref.index, RecordSize: int(t.record), Data: buf}); err != nil {
				return err
			}
			i++
		}
	}
	return nil
}

// Verify reads and checks every page.
func (s *Snapshot) Verify() error { return s.Walk(func(page.Page) error { return nil }) }

// Close ends reading; packs that nothing else needs are removed. Closing twice is harmless.
func (s *Snapshot) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	return s.store.release(s.openPacks)
}
