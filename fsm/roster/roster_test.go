package roster

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ballastdb/ballast/fsm/page"
)

// TestAgainstModel compares with a map, and two rosters given the same commands with each other, page for page.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spaceA, spaceB := page.NewSpace(), page.NewSpace()
		a, b := New(spaceA, 7), New(spaceB, 7)
		model := map[string]Member{}
		index := uint64(0)
		text := func(most int) string {
			n := rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(0, most)).Draw(t, "length")
			return strings.Repeat(string(rune('a'+n%26)), n)
		}
		for range rapid.IntRange(0, 60).Draw(t, "commands") {
			index++
			id := fmt.Sprintf("node-%d/%s", rapid.IntRange(0, 9).Draw(t, "member"), strings.Repeat("x", index37(index)))
			if len(model) > 0 && rapid.Bool().Draw(t, "known") {
				id = rapid.SampledFrom(slices.Sorted(maps.Keys(model))).Draw(t, "id")
			}
			_, known := model[id]
			if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
				errA, errB := a.Remove(index, id), b.Remove(index, id)
				if (errA == nil) != known || (errB == nil) != known || !known && !errors.Is(errA, ErrUnknown) {
					t.Fatalf("remove %q, known %v: %v, %v", id, known, errA, errB)
				}
				delete(model, id)
				continue
			}
			m := Member{
				ID: id, MemberAddress: text(MaxAddress), ClientAddress: text(MaxAddress), OperatorAddress: text(MaxAddress),
				StayNonVoter: rapid.Bool().Draw(t, "stay"), NewestVersion: rapid.Uint32().Draw(t, "newest"),
			}
			if err := errors.Join(a.Put(index, m), b.Put(index, m)); err != nil {
				t.Fatal(err)
			}
			model[id] = m
		}
		got := a.Members()
		if len(got) != len(model) {
			t.Fatalf("%d members, want %d", len(got), len(model))
		}
		for _, m := range got {
			if found, ok := a.Member(m.ID); model[m.ID] != m || !ok || found != m {
				t.Fatalf("%+v, want %+v", m, model[m.ID])
			}
		}
		if spaceA.Digest() != spaceB.Digest() || spaceA.Digest() != spaceA.RecomputeDigest() {
			t.Fatal("the same commands give other pages")
		}
		if err := a.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func index37(index uint64) int { return int(index*37) % (MaxID - 20) }

func TestBounds(t *testing.T) {
	r := New(page.NewSpace(), 7)
	long := strings.Repeat("a", MaxAddress)
	for _, bad := range []Member{
		{}, {ID: strings.Repeat("i", MaxID+1)}, {ID: "a", MemberAddress: long + "a"}, {ID: "a", ClientAddress: long + "a"}, {ID: "a", OperatorAddress: long + "a"},
	} {
		if err := r.Put(1, bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.20v: %v, want ErrInvalid", bad, err)
		}
	}
	for i := range MaxMembers {
		m := Member{
			ID: fmt.Sprintf("%0*d", MaxID, i), MemberAddress: long, ClientAddress: long, OperatorAddress: long,
			StayNonVoter: true,
		}
		if err := r.Put(1, m); err != nil {
			t.Fatal(err)
		}
		if got, ok := r.Member(m.ID); !ok || got != m {
			t.Fatalf("%.20v, want %.20v", got, m)
		}
	}
	if err := r.Put(2, Member{ID: "one more"}); !errors.Is(err, ErrFull) {
		t.Errorf("member %d: %v, want ErrFull", MaxMembers+1, err)
	}
	if err := r.Remove(3, fmt.Sprintf("%0*d", MaxID, 5)); err != nil {
		t.Fatal(err)
	}
	if err := r.Put(4, Member{ID: "one more"}); err != nil {
		t.Errorf("into the freed record: %v", err)
	}
	if _, ok := r.Member(""); ok || r.Remove(5, "") == nil {
		t.Error("a free record is taken for a member")
	}
}
