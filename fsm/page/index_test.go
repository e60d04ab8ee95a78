package page

import (
	"testing"

	"pgregory.net/rapid"
)

// TestIndexAgainstMap drives an index and a map alike, with hashes that collide on purpose.
func TestIndexAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, want := NewSizedIndex(rapid.SampledFrom([]uint64{0, 1, 100, 5000}).Draw(t, "size")), map[uint64]uint64{} // key -> locator
		keep := rapid.SampledFrom([]uint64{0xf, 0xfff, ^uint64(0)}).Draw(t, "spread")
		hash := func(key uint64) uint64 { return avalanche(key) & (keep<<34 | keep<<60 | 0x3ff<<34) }
		keys := map[uint64]uint64{} // locator -> key
		next := uint64(0)
		for range rapid.IntRange(1, 3000).Draw(t, "steps") {
			key := rapid.Uint64Range(0, 1500).Draw(t, "key")
			loc, known := want[key]
			got, ok := x.Find(hash(key), func(l uint64) bool { return keys[l] == key })
			if ok != known || (ok && got != loc) {
				t.Fatalf("key %d: found %d %v, want %d %v", key, got, ok, loc, known)
			}
			switch k := rapid.IntRange(0, 5).Draw(t, "op"); {
			case !known:
				x.Insert(hash(key), next)
				want[key], keys[next] = next, key
				next++
			case k == 0:
				if !x.Delete(hash(key), loc) {
					t.Fatalf("key %d cannot be deleted", key)
				}
				delete(want, key)
			case k == 1:
				if !x.Replace(hash(key), loc, next) {
					t.Fatalf("key %d cannot be replaced", key)
				}
				want[key], keys[next] = next, key
				next++
			}
		}
		if x.Len() != len(want) {
			t.Fatalf("%d entries, want %d", x.Len(), len(want))
		}
		if x.Delete(hash(9999), 1) || x.Replace(hash(9999), 1, 2) {
			t.Fatal("changed an entry that is not there")
		}
	})
}

// TestIndexGrows checks a million entries, and what they cost.
func TestIndexGrows(t *testing.T) {
	const n = 1_000_000
	x := NewIndex()
	key := func(i uint64) []byte { return []byte{byte(i), byte(i >> 8), byte(i >> 16), 'k'} }
	for i := range uint64(n) {
		x.Insert(x.Hash(key(i)), i)
	}
	for i := range uint64(n) {
		if got, ok := x.Find(x.Hash(key(i)), func(l uint64) bool { return l == i }); !ok || got != i {
			t.Fatalf("entry %d is lost", i)
		}
	}
	if perEntry := float64(x.Bytes()) / n; perEntry > 13 {
		t.Errorf("%.1f bytes an entry", perEntry)
	} else {
		t.Logf("%.1f bytes an entry, directory of %d", perEntry, len(x.dir))
	}
}

// TestSizedIndexDoesNotGrow fills one with what it was made for.
func TestSizedIndexDoesNotGrow(t *testing.T) {
	for _, n := range []uint64{0, 7, 1000, 1366, 50_000, 300_000} {
		x := NewSizedIndex(n)
		before := x.Bytes()
		for i := range n {
			x.Insert(avalanche(i), i)
		}
		if after := x.Bytes(); after > before+before/50 {
			t.Errorf("%d entries: %d bytes before, %d after", n, before, after)
		}
		if perEntry := float64(before) / float64(max(n, 16)); perEntry > 15 {
			t.Errorf("%d entries: %.1f bytes each", n, perEntry)
		}
	}
}

func TestUnwrap(t *testing.T) {
	for _, head := range []uint64{0, 1, 1<<10 - 1, 1 << 10, 1<<40 + 77} {
		for _, d := range []uint64{0, 1, 500, 1023} {
			if got := Unwrap(head, (head+d)&1023, 10); got != head+d {
				t.Errorf("Unwrap(%d, low bits of %d) = %d", head, head+d, got)
			}
		}
	}
}

func BenchmarkIndexFind(b *testing.B) {
	x := NewIndex()
	const n = 1 << 20
	for i := range uint64(n) {
		x.Insert(avalanche(i), i)
	}
	i := uint64(0)
	for b.Loop() {
		i = (i*6364136223846793005 + 1442695040888963407)
		k := i >> 40 & (n - 1)
		x.Find(avalanche(k), func(l uint64) bool { return l == k })
	}
}

func BenchmarkIndexInsert(b *testing.B) {
	x, i := NewIndex(), uint64(0)
	for b.Loop() {
		x.Insert(avalanche(i), i&MaxLocator)
		i++
	}
}
