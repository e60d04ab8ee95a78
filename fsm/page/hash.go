package page

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// Secrets of the hash: the first digits of splitmix64 seeded with 0x62616c6c617374 ("ballast"). They are part of every
// stored digest and checksum: never change them.
var secret = makeSecret()

func makeSecret() (s [16]uint64) {
	x := uint64(0x62616c6c617374)
	for i := range s {
		x += 0x9e3779b97f4a7c15
		s[i] = avalanche(x)
	}
	return s
}

func avalanche(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func mix(x, y, s, t uint64) uint64 {
	hi, lo := bits.Mul64(x^s, y^t)
	return hi ^ lo
}

// Hash is a fast 128-bit hash of b under seed. It finds faults, not attackers: it is not cryptographic. The multiply
// and fold is the one of wyhash and XXH3, two lanes that each see every word. Values are stable for ever: they are
// stored in digests, checksums and the journal's chain.
func Hash(seed uint64, b []byte) (lo, hi uint64) {
	n := uint64(len(b))
	lo = seed*0x9fb21c651e98df25 + n
	hi = bits.RotateLeft64(seed, 32)*0xd6e8feb86659fd93 ^ n
	i := 0
	for len(b) >= 32 {
		w := b[:32:32]
		x0, x1 := binary.LittleEndian.Uint64(w), binary.LittleEndian.Uint64(w[8:])
		y0, y1 := binary.LittleEndian.Uint64(w[16:]), binary.LittleEndian.Uint64(w[24:])
		s := (i * 4) & 15
		lo = (lo + mix(x0, x1, secret[s], secret[s+1])) ^ (y0 + bits.RotateLeft64(y1, 29))
		hi = (hi + mix(y0, y1, secret[s+2], secret[s+3])) ^ (x0 + bits.RotateLeft64(x1, 29))
		b = b[32:]
		if i++; i&3 == 0 { // the secrets come round: make the order of the stripes count
			lo = bits.RotateLeft64(lo, 31) * 0x9e3779b97f4a7c15
			hi = bits.RotateLeft64(hi, 27) * 0xc2b2ae3d27d4eb4f
		}
	}
	if len(b) > 0 {
		var w [32]byte
		copy(w[:], b)
		x0, x1 := binary.LittleEndian.Uint64(w[:]), binary.LittleEndian.Uint64(w[8:])
		y0, y1 := binary.LittleEndian.Uint64(w[16:]), binary.LittleEndian.Uint64(w[24:])
		lo = (lo + mix(x0, x1, secret[12], secret[5])) ^ (y0 + bits.RotateLeft64(y1, 29))
		hi = (hi + mix(y0, y1, secret[14], secret[7])) ^ (x0 + bits.RotateLeft64(x1, 29))
	}
	a, c := avalanche(lo+bits.RotateLeft64(hi, 17)), avalanche(hi-lo)
	return a + c*0x9fb21c651e98df25, c ^ bits.RotateLeft64(a, 23)
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
	b := binary.LittleEndian.AppendUint64(nil, d[0])
	return binary.LittleEndian.AppendUint64(b, d[1])
}

// String is the digest in hex, 32 characters.
func (d Digest) String() string { return hex.EncodeToString(d.Bytes()) }

// DigestFromBytes reads what Bytes wrote; false unless b has 16 bytes.
func DigestFromBytes(b []byte) (Digest, bool) {
	if len(b) != 16 {
		return Digest{}, false
	}
	return Digest{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}, true
}

func (d *Digest) add(lo, hi uint64) { d[0] += lo; d[1] += hi }
func (d *Digest) sub(lo, hi uint64) { d[0] -= lo; d[1] -= hi }
