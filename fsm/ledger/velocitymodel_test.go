package ledger

import (
	"math"
	"math/big"
	"slices"
)

// modelCap is a cap and each debit that it has seen.
type modelCap struct {
	Cap
	since int
	seen  []modelDebit
}

type modelDebit struct{ bucket, amount int64 }

func (c *modelCap) bucket(at int64) int64 { return at / ((c.Window + 15) / 16) }

func (a *modelAccount) setCaps(caps [MaxCaps]Cap, sequence int) {
	before := a.caps
	a.caps = [MaxCaps]modelCap{}
	for i, c := range caps {
		a.caps[i] = modelCap{Cap: c, since: sequence}
		for _, old := range before {
			if c.Window != 0 && old.Window == c.Window {
				a.caps[i] = modelCap{c, old.since, old.seen}
			}
		}
	}
}

func (c *modelCap) counted(now int64) *big.Int {
	sum := new(big.Int)
	for _, d := range c.seen {
		if d.bucket >= c.bucket(now)-16 {
			sum.Add(sum, big.NewInt(d.amount))
		}
	}
	return sum
}

// capRoom is what all caps leave.
func (a *modelAccount) capRoom(now int64) *big.Int {
	room := big.NewInt(math.MaxInt64)
	for i := range a.caps {
		c := &a.caps[i]
		if c.Window == 0 {
			continue
		}
		if r := new(big.Int).Sub(big.NewInt(c.Limit), c.counted(now)); r.Cmp(room) < 0 {
			room = r
		}
	}
	return room
}

func (a *modelAccount) spend(now, amount int64) {
	for i := range a.caps {
		if c := &a.caps[i]; c.Window != 0 {
			c.seen = append(slices.Clone(c.seen), modelDebit{c.bucket(now), amount})
		}
	}
}

// giveBack takes what was held out of the bucket in which it was held.
func (a *modelAccount) giveBack(h modelHold, amount int64) {
	for i := range a.caps {
		c := &a.caps[i]
		if c.Window == 0 || h.first <= c.since {
			continue
		}
		in := int64(0)
		for _, d := range c.seen {
			if d.bucket == c.bucket(h.created) {
				in += d.amount
			}
		}
		c.seen = append(slices.Clone(c.seen), modelDebit{c.bucket(h.created), -min(in, amount)})
	}
}
