package page

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// pagesOf are all pages of a space, in order.
func pagesOf(t *rapid.T, s *Space) (pages []Page) {
	v := s.View(nothing{})
	defer v.Close()
	if err := v.Pages(func(p Page) error {
		p.Data = bytes.Clone(p.Data)
		pages = append(pages, p)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return pages
}

type nothing struct{}

func (nothing) Lock()   {}
func (nothing) Unlock() {}

// TestSharedSpace: a space is built from the pages of a later state, those that an earlier one has already taken from it. It
// is that later state, takes no change of the earlier one's for its own unnoticed, and goes on like any other.
func TestSharedSpace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRig()
		grow := func(what string) {
			for range rapid.IntRange(0, 60).Draw(t, what) {
				r.step(t)
			}
		}
		grow("before")
		now := r.space
		old := newRig()
		reserve(t, old.space, pagesOf(t, now))
		for _, p := range pagesOf(t, now) {
			check(t, old.space.Put(p))
		}
		check(t, old.space.Loaded(nil))
		r.index++
		grow("after")

		next, later := newRig(), pagesOf(t, now)
		reserve(t, next.space, later)
		shared := 0
		for _, i := range rapid.Permutation(indexes(len(later))).Draw(t, "order") {
			p := later[i]
			if q, ok := old.space.Peek(p.ID); ok && q.Index == p.Index {
				if !bytes.Equal(q.Data, p.Data) {
					t.Fatalf("page %v has the same index and other bytes", p.ID)
				}
				check(t, next.space.Share(old.space, p.ID))
				shared++
			} else {
				check(t, next.space.Put(p))
			}
			if next.space.Put(p) == nil {
				t.Fatal("a page is taken twice")
			}
		}
		calls := 0
		check(t, next.space.Loaded(func() error { calls++; return nil }))
		check(t, next.space.SharedWith(old.space))
		if next.space.Digest() != now.Digest() || len(later) > 0 && calls == 0 {
			t.Fatalf("the digest is %v, want %v; %d pauses", next.space.Digest(), now.Digest(), calls)
		}
		if r.model.head == r.model.tail {
			check(t, next.queue.Reset(r.model.tail))
		}
		next.model, next.index = r.model.clone(), r.index
		same(t, "built", next, &r.model)

		if shared > 0 && old.table.Len() > 0 && rapid.Bool().Draw(t, "the old one changes") {
			slot := rapid.Uint64Range(0, old.table.Len()-1).Draw(t, "slot")
			at, _ := old.space.Peek(ID{1, slot / old.table.st.perPage})
			_, mine := old.isShared(next, at.ID)
			old.table.Begin(slot)
			old.table.End(slot, r.index+1)
			if err := next.space.SharedWith(old.space); (err != nil) != mine {
				t.Fatalf("a change of page %v, shared %v, is seen as %v", at.ID, mine, err)
			}
			return
		}
		next.space.Unshare()
		next.index++
		for range rapid.IntRange(0, 20).Draw(t, "more") {
			next.step(t)
		}
		same(t, "going on", next, &next.model)
	})
}

// isShared reports whether a page is one with another rig's.
func (r *rig) isShared(with *rig, id ID) (Page, bool) {
	mine, ok := r.space.Peek(id)
	theirs, also := with.space.Peek(id)
	return mine, ok && also && &mine.Data[0] == &theirs.Data[0]
}

func indexes(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// reserve makes room for pages.
func reserve(t *rapid.T, s *Space, pages []Page) {
	for len(pages) > 0 {
		n := 1
		for n < len(pages) && pages[n].Table == pages[0].Table {
			n++
		}
		check(t, s.Reserve(pages[0].Table, pages[0].RecordSize, pages[0].Number, uint64(n)))
		pages = pages[n:]
	}
}

func check(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestReserveRefuses what is no state with these tables.
func TestReserveRefuses(t *testing.T) {
	s := newRig().space
	for name, err := range map[string]error{
		"another table":           s.Reserve(9, 0, 0, 1),
		"records of another size": s.Reserve(1, 16, 0, 1),
		"a table from the middle": s.Reserve(1, 0, 1, 1),
		"numbers that wrap":       s.Reserve(2, 0, 1<<64-1, 2),
		"too many":                s.Reserve(2, 0, 1<<62, 1<<61),
		"nothing reserved":        s.Put(Page{ID: ID{1, 0}, Data: make([]byte, Size)}),
		"nothing to share":        s.Share(newRig().space, ID{1, 0}),
	} {
		if !errors.Is(err, ErrLoad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Reserve(1, 0, 0, 2); err != nil {
		t.Fatal(err)
	}
	if err := s.Reserve(1, 0, 0, 2); !errors.Is(err, ErrLoad) {
		t.Errorf("a table twice: %v", err)
	}
	if err := s.Put(Page{ID: ID{1, 0}, Data: make([]byte, 5)}); !errors.Is(err, ErrLoad) {
		t.Errorf("half a page: %v", err)
	}
	if err := s.Loaded(nil); !errors.Is(err, ErrLoad) {
		t.Errorf("pages that are missing: %v", err)
	}
}
