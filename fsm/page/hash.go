package page

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// Secrets of the hash: the first numbers of splitmix64 seeded with 0x62616c6c617374 ("ballast"). They are part of every
// stored digest and checksum: never change them.
const (
	secret0  = 0xd4501e0f5ffb07aa
	secret1  = 0x85a0a0dd78500dc5
	secret2  = 0x3c418d723f10a8dc
	secret3  = 0xa3aff1b85c4786cb
	secret4  = 0xb6ecf57726f6c574
	secret5  = 0xd17b81b01c10bd41
	secret6  = 0xbebe941ede32491d
	secret7  = 0x76527a30926f1641
	secret8  = 0x3dd076a5e54f58e1
	secret9  = 0xabd6f7247909e7d3
	secret10 = 0x04d3a48544c0e823
	secret11 = 0x92eb5b70e25b8610
	secret12 = 0x2a7b4bed7970390e
	secret13 = 0xb8e60d4abe080d4a
	secret14 = 0x3a2d17d29b898c2d
	secret15 = 0x442d9061ea577162
)

var le = binary.LittleEndian

func avalanche(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func mix(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}

// Hash is a fast 128-bit hash of b under seed. It finds faults, not attackers: it is not cryptographic. The multiply
// and fold is the one of wyhash and XXH3, two lanes that each see every word. Values are stable for ever: they are
// stored in digests, checksums and the journal's chain.
//
// It takes stripes of 32 bytes, the last one padded with zeros. Each of four in a row has secrets of its own, and behind
// the fourth the lanes turn, so that the order of stripes counts. A record is hashed twice at every change, so the loop
// is written out.
func Hash(seed uint64, b []byte) (lo, hi uint64) {
	n := uint64(len(b))
	lo = seed*0x9fb21c651e98df25 + n
	hi = bits.RotateLeft64(seed, 32)*0xd6e8feb86659fd93 ^ n
	var x0, x1, y0, y1 uint64
	rest := b
	for ; len(rest) >= 128; rest = rest[128:] {
		w := (*[128]byte)(rest)
		x0, x1, y0, y1 = le.Uint64(w[0:]), le.Uint64(w[8:]), le.Uint64(w[16:]), le.Uint64(w[24:])
		lo = (lo + mix(x0^secret0, x1^secret1)) ^ (y0 + bits.RotateLeft64(y1, 29))
		hi = (hi + mix(y0^secret2, y1^secret3)) ^ (x0 + bits.RotateLeft64(x1, 29))
		x0, x1, y0, y1 = le.Uint64(w[32:]), le.Uint64(w[40:]), le.Uint64(w[48:]), le.Uint64(w[56:])
		lo = (lo + mix(x0^secret4, x1^secret5)) ^ (y0 + bits.RotateLeft64(y1, 29))
		hi = (hi + mix(y0^secret6, y1^secret7)) ^ (x0 + bits.RotateLeft64(x1, 29))
		x0, x1, y0, y1 = le.Uint64(w[64:]), le.Uint64(w[72:]), le.Uint64(w[80:]), le.Uint64(w[88:])
		lo = (lo + mix(x0^secret8, x1^secret9)) ^ (y0 + bits.RotateLeft64(y1, 29))
		hi = (hi + mix(y0^secret10, y1^secret11)) ^ (x0 + bits.RotateLeft64(x1, 29))
		x0, x1, y0, y1 = le.Uint64(w[96:]), le.Uint64(w[104:]), le.Uint64(w[112:]), le.Uint64(w[120:])
		lo = (lo + mix(x0^secret12, x1^secret13)) ^ (y0 + bits.RotateLeft64(y1, 29))
		hi = (hi + mix(y0^secret14, y1^secret15)) ^ (x0 + bits.RotateLeft64(x1, 29))
		lo = bits.RotateLeft64(lo, 31) * 0x9e3779b97f4a7c15
		hi = bits.RotateLeft64(hi, 27) * 0xc2b2ae3d27d4eb4f
	}
	if len(rest) >= 32 {
		w := (*[32]byte)(rest)
		x0, x1, y0, y1 = le.Uint64(w[0:]), le.Uint64(w[8:]), le.Uint64(w[16:]), le.Uint64(w[24:])
		lo = (lo + mix(x0^secret0, x1^secret1)) ^ (y0 + bits.RotateLeft64(y1, 29))
		hi = (hi + mix(y0^secret2, y1^secret3)) ^ (x0 + bits.RotateLeft64(x1, 29))
		rest = rest[32:]
	}
	if len(rest) >= 32 {
		w := (*[32]byte)(rest)
		x0, x1, y0, y1 = le.Uint64(w[0:]), le.Uint64(w[8:]), le.Uint64(w[16:]), le.Uint64(w[24:])
		lo = (lo + mix(x0^secret4, x1^secret5)) ^ (y0 + bits.RotateLeft64(y1, 29))
		hi = (hi + mix(y0^secret6, y1^secret7)) ^ (x0 + bits.RotateLeft64(x1, 29))
		rest = rest[32:]
	}
	if len(rest) >= 32 {
		w := (*[32]byte)(rest)
		x0, x1, y0, y1 = le.Uint64(w[0:]), le.Uint64(w[8:]), le.Uint64(w[16:]), le.Uint64(w[24:])
		lo = (lo + mix(x0^secret8, x1^secret9)) ^ (y0 + bits.RotateLeft64(y1, 29))
		hi = (hi + mix(y0^secret10, y1^secret11)) ^ (x0 + bits.RotateLeft64(x1, 29))
		rest = rest[32:]
	}
	if len(rest) > 0 {
		x0, x1, y0, y1 = padded(rest, b)
		lo = (lo + mix(x0^secret12, x1^secret5)) ^ (y0 + bits.RotateLeft64(y1, 29))
		hi = (hi + mix(y0^secret14, y1^secret7)) ^ (x0 + bits.RotateLeft64(x1, 29))
	}
	a, c := avalanche(lo+bits.RotateLeft64(hi, 17)), avalanche(hi-lo)
	return a + c*0x9fb21c651e98df25, c ^ bits.RotateLeft64(a, 23)
}

// padded are the words of the last 1 to 31 bytes of b, and zeros behind them.
func padded(rest, b []byte) (x0, x1, y0, y1 uint64) {
	last := lastWord(rest, b)
	switch {
	case len(rest) < 8:
		return last, 0, 0, 0
	case len(rest) < 16:
		return le.Uint64(rest), last, 0, 0
	case len(rest) < 24:
		return le.Uint64(rest), le.Uint64(rest[8:]), last, 0
	default:
		return le.Uint64(rest), le.Uint64(rest[8:]), le.Uint64(rest[16:]), last
	}
}

// lastWord is the word of those of the last bytes of b that fill none: the upper part of b's last 8 bytes, where it has them.
func lastWord(rest, b []byte) (w uint64) {
	k := uint(len(rest)) % 8
	if k == 0 {
		return 0
	}
	if len(b) >= 8 {
		return le.Uint64(b[len(b)-8:]) >> (64 - 8*k)
	}
	for i, c := range rest {
		w |= uint64(c) << (8 * uint(i))
	}
	return w
}

// Checksum covers one page's bytes together with its place, so that a page stored under another number is found out.
func Checksum(id ID, data []byte) uint64 {
	lo, _ := Hash(recordSeed(id.Table, id.Number)^0x7061676573756d21, data)
	return lo
}

// recordSeed makes a record's hash depend on where it is.
func recordSeed(table uint8, pos uint64) uint64 { return uint64(table)<<56 ^ pos ^ 0x5bd1e9955bd1e995 }

// Digest is a sum of record hashes, two lanes modulo 2^64: it does not depend on the order of changes, and one record's
// change is one subtraction and one addition. It cannot see what nobody touched: RecomputeDigest does.
type Digest [2]uint64

// Bytes is the digest in little-endian order, 16 bytes.
func (d Digest) Bytes() []byte {
	b := le.AppendUint64(nil, d[0])
	return le.AppendUint64(b, d[1])
}

// String is the digest in hex, 32 characters.
func (d Digest) String() string { return hex.EncodeToString(d.Bytes()) }

// DigestFromBytes reads what Bytes wrote; false unless b has 16 bytes.
func DigestFromBytes(b []byte) (Digest, bool) {
	if len(b) != 16 {
		return Digest{}, false
	}
	return Digest{le.Uint64(b), le.Uint64(b[8:])}, true
}

func (d *Digest) add(lo, hi uint64) { d[0] += lo; d[1] += hi }
func (d *Digest) sub(lo, hi uint64) { d[0] -= lo; d[1] -= hi }
