package page

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// filled makes a table of records of 128 bytes.
func filled(records uint64) (*Space, *Table) {
	s := NewSpace()
	table := s.Table(1, 128)
	for i := range records {
		slot, rec := table.Append(1)
		rec[8], rec[9], rec[127] = byte(i), byte(i>>8), byte(i>>16)
		table.End(slot, 1)
	}
	return s, table
}

// TestViewOfManyChanges changes half of many pages' records, some twice, and reads them as they were: what is kept lies in many
// chunks and blocks by then.
func TestViewOfManyChanges(t *testing.T) {
	const records = 300 * Size / 128 // more pages than a block has
	s, table := filled(records)
	var want [][]byte
	for n := range uint64(records * 128 / Size) {
		p, _ := s.Peek(ID{1, n})
		want = append(want, bytes.Clone(p.Data))
	}
	v := s.View(&sync.Mutex{})
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range uint64(records / 2) {
		slot := rng.Uint64N(records)
		copy(table.Begin(slot)[8:], fmt.Sprint("changed ", i))
		table.End(slot, 2+i)
	}
	if got := len(v.stores[0].kept.arena); got < 10 {
		t.Fatalf("what was kept lies in %d chunks only", got)
	}
	if err := v.Pages(func(p Page) error {
		if p.Index != 1 || !bytes.Equal(p.Data, want[p.Number]) {
			t.Fatalf("page %d, index %d, is not what it was", p.Number, p.Index)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	v.Close()
}

// BenchmarkChangesUnderAView changes records at random while a view is open that has read nothing yet.
func BenchmarkChangesUnderAView(b *testing.B) {
	const records = 1_000_000
	s, table := filled(records)
	v := s.View(&sync.Mutex{})
	rng := rand.New(rand.NewPCG(1, 1))
	index := uint64(1)
	for b.Loop() {
		index++
		slot := rng.Uint64N(records)
		table.Begin(slot)
		table.End(slot, index)
	}
	v.Close()
}

// BenchmarkChangedPages reads pages of which an eighth of the records have changed since they were pinned.
func BenchmarkChangedPages(b *testing.B) {
	const records = 200_000
	s, table := filled(records)
	rng := rand.New(rand.NewPCG(1, 1))
	b.SetBytes(records * 128)
	for index := uint64(2); b.Loop(); index++ {
		b.StopTimer()
		v := s.View(&sync.Mutex{})
		for range records / 8 {
			slot := rng.Uint64N(records)
			table.Begin(slot)
			table.End(slot, index)
		}
		b.StartTimer()
		if err := v.Pages(func(Page) error { return nil }); err != nil {
			b.Fatal(err)
		}
		v.Close()
	}
}
