package datadir

import (
	"bytes"
	"testing"
)

// What is accepted as heard is written again as what means the same; what is damaged is refused.
func FuzzHeard(f *testing.F) {
	good, err := encodeHeard([]Heard{{ID: "node-2/6f6f5c2e-1f53-4bb6-a3a7-00000000000b", Boots: 3, Token: 1 << 63, Term: 9, Applied: 1 << 40}, {}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, uint16(0))
	f.Add(encodeRecord("heard", heardVersion, []byte(`{"members":null}`)), uint16(9))
	f.Add(encodeRecord("heard", heardVersion+1, []byte(`{"members":[]}`)), uint16(9))
	f.Fuzz(func(t *testing.T, data []byte, bit uint16) {
		heard, err := decodeHeard(data)
		if err != nil {
			return
		}
		again, err := encodeHeard(heard)
		if err != nil {
			t.Fatalf("%+v was read and cannot be written: %v", heard, err)
		}
		back, err := decodeHeard(again)
		if err != nil || len(back) != len(heard) {
			t.Fatalf("%+v was written as %q, which is %+v, %v", heard, again, back, err)
		}
		for i := range back {
			if back[i] != heard[i] {
				t.Fatalf("%+v became %+v", heard[i], back[i])
			}
		}
		at := int(bit) % (8 * len(data))
		changed := bytes.Clone(data)
		changed[at/8] ^= 1 << (at % 8)
		if _, err := decodeHeard(changed); err == nil {
			t.Fatalf("bit %d was changed unnoticed: %q", at, changed)
		}
	})
}
