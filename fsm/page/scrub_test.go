package page

import (
	"errors"
	"slices"
	"testing"
)

// scrub walks all pages and names those that are damaged.
func scrub(s *Space) (damaged []ID) {
	var c Cursor
	for more := true; more; {
		var err error
		more, err = s.CheckNext(&c)
		var damage *MemoryError
		if errors.As(err, &damage) {
			damaged = append(damaged, damage.ID)
		}
	}
	return damaged
}

// TestScrubSeesEverything flips every bit of every page in turn, where records are and where none is, also one that is
// changed properly afterwards, and one that was changed before it was dropped.
func TestScrubSeesEverything(t *testing.T) {
	r := newRig()
	for i := range uint64(9) {
		slot, rec := r.table.Append(1)
		r.write(rec, i)
		r.table.End(slot, 1)
		pos, rec := r.queue.Append(1)
		r.write(rec, i)
		r.queue.End(pos, 1)
	}
	r.queue.DropHead(2)
	for _, st := range r.space.stores {
		for i, p := range st.pages {
			want := []ID{{Table: st.id, Number: st.base + uint64(i)}}
			for at := range p.data {
				p.data[at] ^= 1 << (at % 8)
				if at%61 == 0 || at > Size-200 { // the whole walk is slow
					if got := scrub(r.space); !slices.Equal(got, want) {
						t.Fatalf("byte %d of page %v: found %v", at, want, got)
					}
				} else if st.check(want[0].Number) == nil {
					t.Fatalf("byte %d of page %v is not seen", at, want)
				}
				p.data[at] ^= 1 << (at % 8)
			}
		}
	}
	if got := scrub(r.space); got != nil {
		t.Fatalf("without damage: %v", got)
	}
	r.table.Get(4)[100] ^= 1
	r.write(r.table.Begin(4), 77) // what was there is overwritten, but it was read meanwhile
	r.table.End(4, 3)
	r.queue.Get(1)[100] ^= 1
	r.queue.DropHead(3)
	if got, want := scrub(r.space), []ID{{1, 1}, {2, 0}}; !slices.Equal(got, want) {
		t.Fatalf("damage that was written over: found %v, want %v", got, want)
	}
}

// TestScrubWhileTheSpaceChanges: pages that come are seen, pages that go are not asked for.
func TestScrubWhileTheSpaceChanges(t *testing.T) {
	r := newRig()
	push := func(index uint64) {
		pos, _ := r.queue.Append(index)
		r.queue.End(pos, index)
	}
	for range 32 {
		push(1)
	}
	var c Cursor
	for step := range uint64(40) {
		if more, err := r.space.CheckNext(&c); err != nil || !more {
			t.Fatalf("step %d: more %v, %v", step, more, err)
		}
		for range 16 {
			push(step + 2)
			r.queue.DropHead(step + 2)
		}
	}
}
