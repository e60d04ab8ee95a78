package ledger

import (
	"math"
	"math/bits"
)

// available is posted - held - floor, exact in 128 bits and then limited to the range of int64. held >= 0, floor <= 0.
func (a *account) available() int64 {
	const zero = 1 << 63                                             // sums are kept shifted up by 2^63, so that none is negative yet
	lo, hi := bits.Add64(uint64(a.posted)^zero, -uint64(a.floor), 0) // - floor, at most 2^63
	lo, borrow := bits.Sub64(lo, uint64(a.held), 0)
	switch hi -= borrow; {
	case hi == math.MaxUint64: // below -2^63
		return math.MinInt64
	case hi > 0: // 2^63 or more
		return math.MaxInt64
	}
	return int64(lo ^ zero)
}

// add returns a + b, and false where that is out of range.
func add(a, b int64) (int64, bool) {
	c := a + b
	return c, (c > a) == (b > 0)
}

// sub returns a - b, and false where that is out of range.
func sub(a, b int64) (int64, bool) {
	c := a - b
	return c, (c < a) == (b > 0)
}

// less returns a - b, limited to the range of int64.
func less(a, b int64) int64 {
	if c, ok := sub(a, b); ok {
		return c
	}
	if b > 0 {
		return math.MinInt64
	}
	return math.MaxInt64
}
