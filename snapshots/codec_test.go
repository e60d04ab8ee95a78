package snapshots

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/ballastdb/ballast/fsm/page"
)

func sampleWants() []want {
	return []want{
		{id: page.ID{Table: 3, Number: 0}, index: 1000, held: 990},
		{id: page.ID{Table: 3, Number: 1}, index: 1003},
		{id: page.ID{Table: 3, Number: 900}, index: 40, held: 39},
		{id: page.ID{Table: 16, Number: 1 << 40}, index: 1 << 50, held: 1},
	}
}

// samplePage has records of 64 bytes, of which slots 2 and 200 are newer than index 50.
func samplePage() []byte {
	b := make([]byte, page.Size)
	for slot := 1; slot < 256; slot++ {
		b[slot*64], b[slot*64+63] = 40, byte(slot)
	}
	b[2*64], b[200*64] = 60, 61
	return b
}

func sampleItems() []byte {
	var c chunk
	c.begin(7)
	c.missing()
	c.page(samplePage(), 64, 50)
	c.page(append([]byte{1, 2, 3}, make([]byte, page.Size-3)...), 64, 50)
	return c.b
}

// golden compares with bytes written once: members of different versions talk to each other.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := "testdata/" + name + ".hex"
	if os.Getenv("BALLAST_GOLDEN") == "write" {
		check(t, os.WriteFile(file, []byte(hex.Dump(got)), 0o600))
	}
	want, err := os.ReadFile(file)
	check(t, err)
	if hex.Dump(got) != strings.ReplaceAll(string(want), "\r", "") {
		t.Fatalf("the format changed:\n%s\nwant\n%s", hex.Dump(got), want)
	}
}

func TestPullGolden(t *testing.T) {
	golden(t, "wants", encodeWants(sampleWants()))
	golden(t, "items", sampleItems())
	golden(t, "area", appendAreaEntry(areaHead(7), page.ID{Table: 3, Number: 9}, pageRef{index: 5, checksum: 0xabc, offset: 24, length: 100}))
}

// TestItemsMakeThePage: whatever is held of a page, and whatever became of it, the item makes it out of that, and is not
// much longer than the records that changed.
func TestItemsMakeThePage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, size := range []int{16, 32, 80, 128, page.Size} {
		for range 50 {
			slots := page.Size / size
			held, wanted := make([]byte, page.Size), make([]byte, page.Size)
			dropped, tail := rng.IntN(slots/2+1), slots-rng.IntN(slots/2+1)
			changed := 0
			for slot := range tail {
				rec := wanted[slot*size:][:size]
				rec[0], rec[size-1] = 1+byte(rng.IntN(50)), byte(rng.IntN(256))
				if copy(held[slot*size:], rec); rng.IntN(10) == 0 {
					rec[0], rec[size/2] = 51+byte(rng.IntN(10)), 1
					changed += size
				}
			}
			clear(wanted[:dropped*size])
			var c chunk
			c.begin(0)
			c.page(wanted, size, 50)
			next, err := decodeItems(c.b, 0, 1, func(int) int { return size }, func(it item) error {
				it.apply(held)
				return nil
			})
			check(t, err)
			if next != 1 || !bytes.Equal(held, wanted) {
				t.Fatalf("records of %d bytes: %d items, not the page", size, next)
			}
			if limit := changed + 8 + 2*changed/size; len(c.b) > min(limit, page.Size+8) {
				t.Fatalf("records of %d bytes: %d bytes for %d that changed", size, len(c.b), changed)
			}
		}
	}
}

func TestBadWants(t *testing.T) {
	good := encodeWants(sampleWants())
	for name, b := range map[string][]byte{
		"nothing": nil, "another version": append([]byte{2}, good[1:]...), "cut off": good[:len(good)-1], "a byte more": append(bytes.Clone(good), 1),
		"too long": make([]byte, maxWantsBytes+1), "a run of none": {1, 3, 0}, "a run of many": {1, 3, 200, 1, 0, 2, 0},
		"index 0": {1, 3, 1, 0, 0, 0}, "held nothing at age 5": {1, 3, 1, 0, 10, 5},
	} {
		if w, err := decodeWants(b); err == nil {
			t.Errorf("%s: decodes to %v", name, w)
		}
	}
	var many []want
	for n := range maxWants + 1 {
		many = append(many, want{id: page.ID{Number: uint64(n)}, index: 1})
	}
	if _, err := decodeWants(encodeWants(many)); err == nil {
		t.Error("too many are taken")
	}
	if _, err := decodeWants(encodeWants(many[1:])); err != nil {
		t.Errorf("as many as may be: %v", err)
	}
}

// FuzzWants: any bytes are refused, or decode to wants that encode and decode to the same.
func FuzzWants(f *testing.F) {
	f.Add(encodeWants(sampleWants()))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		wants, err := decodeWants(b)
		if err != nil || len(wants) == 0 {
			return
		}
		again, err := decodeWants(encodeWants(wants))
		if err != nil || !reflect.DeepEqual(again, wants) {
			t.Fatalf("%v became %v, %v", wants, again, err)
		}
	})
}

// FuzzItems: any bytes are refused, or are items that can be applied to any page.
func FuzzItems(f *testing.F) {
	f.Add(sampleItems(), uint16(64))
	f.Add([]byte{1, 7, 2, 0, 1, 0}, uint16(16))
	f.Fuzz(func(t *testing.T, b []byte, size uint16) {
		buf, last := make([]byte, page.Size), 6
		next, err := decodeItems(b, 7, 10, func(int) int { return int(size) }, func(it item) error {
			if it.place != last+1 || it.place >= 10 {
				t.Fatalf("item %d follows %d", it.place, last)
			}
			last = it.place
			it.apply(buf)
			return nil
		})
		if err == nil && next != last+1 {
			t.Fatalf("the next is %d, the last was %d", next, last)
		}
	})
}
