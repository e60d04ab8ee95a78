package ledger

import (
	"errors"
	"fmt"
	"math/bits"
)

// ErrBooks is wrapped by the errors of CheckBooks: the state is wrong, whatever the cause. Stop and compare with other
// members.
var ErrBooks = errors.New("the books are wrong")

// CheckBooks reads all accounts: every ledger's balances sum to zero and no account is in a state that it cannot get
// into. For tests and for scrubbing; it takes about 20 ns an account.
func (s *State) CheckBooks() error {
	type sum struct{ lo, hi uint64 } // 128 bits, two's complement
	sums := make([]sum, s.ledgers.Len())
	held, err := s.heldByAccount()
	if err != nil {
		return err
	}
	for slot := range s.accounts.Len() {
		rec := s.accounts.Get(slot)
		a := decodeAccount(rec)
		if uint64(a.ledger) >= uint64(len(sums)) {
			return fmt.Errorf("%w: account %q is of ledger %d, there are %d", ErrBooks, accountID(rec), a.ledger, len(sums))
		}
		if problem := a.problem(); problem != "" {
			return fmt.Errorf("%w: account %q: %s", ErrBooks, accountID(rec), problem)
		}
		if a.held != held[uint32(slot)] {
			return fmt.Errorf("%w: account %q: held is %d, its open holds hold %d", ErrBooks, accountID(rec), a.held, held[uint32(slot)])
		}
		if caps := s.capsOf(uint32(slot)); (caps != [MaxCaps]CapUse{}) != (a.flags&flagVelocity != 0) {
			return fmt.Errorf("%w: account %q has caps %v, and its flags are %#x", ErrBooks, accountID(rec), caps, a.flags)
		}
		if threshold := s.low.threshold(uint32(slot)); (threshold != 0) != (a.flags&flagLowBalance != 0) {
			return fmt.Errorf("%w: account %q has a low-balance threshold of %d, and its flags are %#x", ErrBooks, accountID(rec), threshold, a.flags)
		}
		if problem := s.topUpProblem(uint32(slot), &a); problem != "" {
			return fmt.Errorf("%w: account %q: %s", ErrBooks, accountID(rec), problem)
		}
		t := &sums[a.ledger]
		var carry uint64
		t.lo, carry = bits.Add64(t.lo, uint64(a.posted), 0)
		t.hi, _ = bits.Add64(t.hi, uint64(a.posted>>63), carry)
	}
	for slot, t := range sums {
		if t != (sum{}) {
			name := decodeLedger(s.ledgers.Get(uint64(slot))).name
			return fmt.Errorf("%w: ledger %q sums to %d (high half %d), want 0", ErrBooks, name, int64(t.lo), int64(t.hi))
		}
	}
	return nil
}

// heldByAccount sums up what open holds hold, by slot of account.
func (s *State) heldByAccount() (map[uint32]int64, error) {
	held := map[uint32]int64{}
	for slot := range s.holds.table.Len() {
		rec := s.holds.table.Get(slot)
		h := decodeHold(rec)
		if h.state == 0 {
			continue
		}
		if problem := h.problem(); problem != "" {
			return nil, fmt.Errorf("%w: hold %q: %s", ErrBooks, holdID(rec), problem)
		}
		held[h.account] += h.remaining
	}
	return held, nil
}

// topUpProblem names a rule on top-ups that the account breaks.
func (s *State) topUpProblem(slot uint32, a *account) string {
	at, ok := s.policies.byUser[slot]
	if !ok {
		if a.flags&flagTopUp != 0 {
			return "it has no policy on top-ups, and its flags say that it has"
		}
		return ""
	}
	p := decodePolicy(s.policies.table.Get(uint64(at)))
	if p.on != (a.flags&flagTopUp != 0) || p.on && a.flags&flagClosed != 0 {
		return fmt.Sprintf("its policy on top-ups is in force: %v, and its flags are %#x", p.on, a.flags)
	}
	if p.open == 0 {
		return ""
	}
	if uint64(p.open) > s.topUps.table.Len() {
		return fmt.Sprintf("its open top-up is record %d, there are %d", p.open-1, s.topUps.table.Len())
	}
	switch d := decodeTopUp(s.topUps.table.Get(uint64(p.open - 1))); {
	case d.account != slot || d.state != TopUpOpen:
		return fmt.Sprintf("its open top-up is one of account %d in state %d", d.account, d.state)
	case d.lease == 0 && a.flags&(flagFrozen|flagClosed) != 0:
		return "it is frozen, and a top-up waits to be leased"
	case d.problem() != "":
		return "its open top-up: " + d.problem()
	}
	return ""
}

// problem names a rule that the account breaks. An account never gets below its floor or above its ceiling: limits are
// only set where the balance is within them.
func (a *account) problem() string {
	switch {
	case a.held < 0:
		return fmt.Sprintf("held is %d, below 0", a.held)
	case a.floor > 0:
		return fmt.Sprintf("floor is %d, above 0", a.floor)
	case a.flags&flagSystem == 0 && less(a.posted, a.held) < a.floor:
		return fmt.Sprintf("posted %d less held %d is below the floor %d", a.posted, a.held, a.floor)
	case a.flags&flagCeiling != 0 && a.posted > a.ceiling:
		return fmt.Sprintf("posted %d is above the ceiling %d", a.posted, a.ceiling)
	case a.flags&flagClosed != 0 && (a.posted != 0 || a.held != 0):
		return fmt.Sprintf("it is closed with posted %d and held %d", a.posted, a.held)
	case a.version == 0:
		return "version is 0"
	}
	return ""
}
