package page

import (
	"fmt"
	"math/bits"
	"testing"
)

// TestHashGolden holds the hash to values that are stored in digests, checksums and journals: it may never change.
func TestHashGolden(t *testing.T) {
	b := make([]byte, 300)
	for i := range b {
		b[i] = byte(i * 7)
	}
	for _, tc := range []struct {
		n    int
		want string
	}{
		{0, "125e3b638bbda3bbb9a408f07cb37d67"}, {1, "07f55b14493ad8595ef56ede1e47b481"}, {31, "0c420d744adde16b27b12a8fc4a1d564"}, {32, "c7b88dbca4d5de4210eadcc15ca29a66"}, {80, "2fef9ee1930fd85eb8a2117260a48aa5"}, {128, "7fc67dff7265efc043d324638a6a2023"}, {300, "e7d8c70b86c55adf30f3a4756d595d18"},
	} {
		lo, hi := Hash(42, b[:tc.n])
		if got := fmt.Sprintf("%016x%016x", lo, hi); got != tc.want {
			t.Errorf("Hash(42, %d bytes) = %s, want %s", tc.n, got, tc.want)
		}
	}
}

// reference is the hash as it is defined: stripes of 32 bytes, the last one padded, whose secrets come round.
func reference(seed uint64, b []byte) (lo, hi uint64) {
	secret := [16]uint64{
		secret0, secret1, secret2, secret3, secret4, secret5, secret6, secret7,
		secret8, secret9, secret10, secret11, secret12, secret13, secret14, secret15,
	}
	n := uint64(len(b))
	lo = seed*0x9fb21c651e98df25 + n
	hi = bits.RotateLeft64(seed, 32)*0xd6e8feb86659fd93 ^ n
	stripe := func(w [32]byte, s [4]uint64) {
		x0, x1, y0, y1 := le.Uint64(w[:]), le.Uint64(w[8:]), le.Uint64(w[16:]), le.Uint64(w[24:])
		lo = (lo + mix(x0^s[0], x1^s[1])) ^ (y0 + bits.RotateLeft64(y1, 29))
		hi = (hi + mix(y0^s[2], y1^s[3])) ^ (x0 + bits.RotateLeft64(x1, 29))
	}
	for i := 0; len(b) >= 32; b = b[32:] {
		stripe([32]byte(b), [4]uint64(secret[i*4&15:]))
		if i++; i&3 == 0 {
			lo = bits.RotateLeft64(lo, 31) * 0x9e3779b97f4a7c15
			hi = bits.RotateLeft64(hi, 27) * 0xc2b2ae3d27d4eb4f
		}
	}
	if len(b) > 0 {
		var w [32]byte
		copy(w[:], b)
		stripe(w, [4]uint64{secret[12], secret[5], secret[14], secret[7]})
	}
	a, c := avalanche(lo+bits.RotateLeft64(hi, 17)), avalanche(hi-lo)
	return a + c*0x9fb21c651e98df25, c ^ bits.RotateLeft64(a, 23)
}

// TestHashIsTheReference: the loop that is written out answers the same, for all lengths.
func TestHashIsTheReference(t *testing.T) {
	b := make([]byte, 400)
	for i := range b {
		b[i] = byte(i*i>>3 + i*11)
	}
	for from := range 9 {
		for n := range len(b) - from {
			lo, hi := Hash(uint64(n), b[from:from+n])
			if l, h := reference(uint64(n), b[from:from+n]); lo != l || hi != h {
				t.Fatalf("%d bytes: %016x%016x, want %016x%016x", n, lo, hi, l, h)
			}
		}
	}
	x := uint64(0x62616c6c617374)
	for i, s := range []uint64{secret0, secret1, secret2, secret3} {
		if x += 0x9e3779b97f4a7c15; avalanche(x) != s {
			t.Errorf("secret %d is %x, want %x", i, s, avalanche(x))
		}
	}
}

// TestHashAvalanche flips every bit of inputs of many lengths: about half of the 128 bits must change each time.
func TestHashAvalanche(t *testing.T) {
	for _, n := range []int{1, 8, 16, 31, 32, 33, 80, 96, 128, 200} {
		b := make([]byte, n)
		lo, hi := Hash(7, b)
		total := 0
		for bit := range n * 8 {
			b[bit/8] ^= 1 << (bit % 8)
			l, h := Hash(7, b)
			b[bit/8] ^= 1 << (bit % 8)
			d := bits.OnesCount64(l^lo) + bits.OnesCount64(h^hi)
			if d < 30 {
				t.Errorf("%d bytes: flipping bit %d changes %d of 128 bits", n, bit, d)
			}
			total += d
		}
		if mean := float64(total) / float64(n*8); mean < 60 || mean > 68 {
			t.Errorf("%d bytes: a flip changes %.1f of 128 bits on average, want about 64", n, mean)
		}
	}
}

// TestHashLengthCounts: zeros of different lengths and empty tails must not collide.
func TestHashLengthCounts(t *testing.T) {
	seen := map[[2]uint64]int{}
	for n := range 400 {
		lo, hi := Hash(0, make([]byte, n))
		if m, ok := seen[[2]uint64{lo, hi}]; ok {
			t.Fatalf("%d and %d zero bytes hash alike", m, n)
		}
		seen[[2]uint64{lo, hi}] = n
	}
}

// TestHashStripesDoNotCommute: the same 32-byte stripes in another order are another input.
func TestHashStripesDoNotCommute(t *testing.T) {
	b := make([]byte, 16*32)
	for i := range b {
		b[i] = byte(i / 32)
	}
	lo, hi := Hash(0, b)
	for i := range 15 {
		for j := i + 1; j < 16; j++ {
			for k := range 32 {
				b[i*32+k], b[j*32+k] = b[j*32+k], b[i*32+k]
			}
			if l, h := Hash(0, b); l == lo || h == hi {
				t.Errorf("stripes %d and %d can be exchanged", i, j)
			}
			for k := range 32 {
				b[i*32+k], b[j*32+k] = b[j*32+k], b[i*32+k]
			}
		}
	}
}

func BenchmarkHash(b *testing.B) {
	for _, n := range []int{80, 128, Size} {
		buf := make([]byte, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				lo, _ := Hash(1, buf)
				buf[0] = byte(lo)
			}
		})
	}
}

func BenchmarkChange(b *testing.B) {
	s := NewSpace()
	t := s.Table(1, 128)
	for range 100_000 {
		slot, _ := t.Append(1)
		t.End(slot, 1)
	}
	x := uint64(1)
	for b.Loop() {
		x = x*6364136223846793005 + 1442695040888963407
		slot := x >> 33 % 100_000
		t.Begin(slot)[20]++
		t.End(slot, 2)
	}
}
