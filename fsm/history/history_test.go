package history

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ballastdb/ballast/fsm/page"
)

// TestAgainstModel compares with a list, over more changes than are kept.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		space := page.NewSpace()
		table := New(space, 7)
		var model []Change
		for i := range rapid.IntRange(0, 3*Max).Draw(t, "changes") {
			c := Change{
				Index: uint64(i + 1), Time: int64(i * 10), Setting: uint16(i%12 + 1), Before: uint64(i), After: rapid.Uint64().Draw(t, "after"),
				By: strings.Repeat("x", i%(MaxBy+1)),
			}
			table.Add(c)
			model = slices.Insert(model, 0, c)
			model = model[:min(len(model), Max)]
		}
		if got := table.Changes(); !slices.Equal(got, model) {
			t.Fatalf("found %d changes, %v; want %d", len(got), got, len(model))
		}
		if err := table.Check(); err != nil || space.Digest() != space.RecomputeDigest() {
			t.Fatalf("not a history, or not counted in the digest: %v", err)
		}
	})
}

// TestCheckRefusesWhatIsNoHistory: pages that were loaded may hold anything.
func TestCheckRefusesWhatIsNoHistory(t *testing.T) {
	for name, spoil := range map[string]func(rec []byte){
		"a change twice":  func(rec []byte) { binary.LittleEndian.PutUint64(rec[offNumber:], 2) },
		"a change of far": func(rec []byte) { binary.LittleEndian.PutUint64(rec[offNumber:], 1+Max) },
		"a long name":     func(rec []byte) { binary.LittleEndian.PutUint16(rec[offByLen:], MaxBy+1) },
		"no number":       func(rec []byte) { binary.LittleEndian.PutUint64(rec[offNumber:], 0) },
	} {
		table := New(page.NewSpace(), 7)
		table.Add(Change{Index: 1, Setting: 1, By: strings.Repeat("long", 99)})
		table.Add(Change{Index: 2, Setting: 2})
		if got := table.Changes(); len(got) != 2 || len(got[1].By) != MaxBy {
			t.Fatalf("found %v", got)
		}
		spoil(table.table.Begin(0))
		table.table.End(0, 3)
		if err := table.Check(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
