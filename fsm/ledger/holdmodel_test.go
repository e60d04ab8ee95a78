package ledger

import (
	"math/big"
	"slices"
)

// passTime expires what is due and forgets holds that ended before the horizon.
func (b *books) passTime(now, horizon int64) {
	for id, h := range b.holds {
		if h.state == HoldOpen && h.expires <= now {
			b.endHold(id, HoldExpired, now)
			b.entries++
		}
	}
	for id, h := range b.holds {
		if h.state != HoldOpen && h.ended < horizon {
			delete(b.holds, id)
		}
	}
}

func (b *books) endHold(id string, state HoldState, now int64) (released int64) {
	h := b.holds[id]
	a := b.accounts[h.account]
	released = h.remaining
	a.held -= released
	a.giveBack(h, released)
	a.version++
	h.remaining, h.state, h.ended = 0, state, now
	b.accounts[h.account], b.holds[id] = a, h
	return released
}

func (b *books) hold(op Operation, now int64) Result {
	id, of := string(op.ID), string(op.Debit)
	a, ok := b.accounts[of]
	_, exists := b.holds[id]
	switch {
	case !ok:
		return Result{Code: CodeUnknownAccount, Side: SideDebit}
	case op.IfVersion != 0 && op.IfVersion != a.version:
		return Result{Code: CodeVersionMismatch, Side: SideDebit, Version: a.version}
	case a.closed:
		return Result{Code: CodeAccountClosed, Side: SideDebit}
	case exists:
		return Result{Code: CodeHoldExists}
	case a.frozen:
		return Result{Code: CodeAccountFrozen, Side: SideDebit}
	case op.Amount > limited(a.available()):
		return Result{Code: CodeInsufficientFunds, Side: SideDebit, Asked: op.Amount, Available: limited(a.available())}
	case big.NewInt(op.Amount).Cmp(a.capRoom(now)) > 0:
		return Result{Code: CodeVelocityExceeded, Side: SideDebit, Asked: op.Amount, Available: limited(a.capRoom(now))}
	case !new(big.Int).Add(big.NewInt(a.held), big.NewInt(op.Amount)).IsInt64():
		return Result{Code: CodeOverflow, Side: SideDebit, Asked: op.Amount}
	}
	a.held += op.Amount
	a.spend(now, op.Amount)
	a.version++
	b.accounts[of] = a
	b.holds[id] = modelHold{account: of, amount: op.Amount, remaining: op.Amount, expires: now + op.Timeout, state: HoldOpen, parts: op.Parts, created: now, first: b.entries + 1}
	return b.toldOf(of, op.Amount)
}

// toldOf answers an operation on a hold.
func (b *books) toldOf(account string, amount int64) Result {
	b.entries++
	a := b.accounts[account]
	return Result{Code: CodeApplied, DebitPosted: a.posted.Int64(), Available: limited(a.available()), Amount: amount}
}

func (b *books) changeHold(op Operation, now int64) Result {
	id := string(op.Hold)
	h, ok := b.holds[id]
	if !ok {
		return Result{Code: CodeUnknownHold}
	}
	if h.state != HoldOpen {
		return Result{Code: map[HoldState]Code{HoldCaptured: CodeHoldCaptured, HoldVoided: CodeHoldVoided, HoldExpired: CodeHoldExpired}[h.state]}
	}
	if v := b.accounts[h.account].version; op.IfVersion != 0 && op.IfVersion != v && op.Kind != KindCapture {
		return Result{Code: CodeVersionMismatch, Side: SideDebit, Version: v}
	}
	switch op.Kind {
	case KindVoid:
		return b.toldOf(h.account, b.endHold(id, HoldVoided, now))
	case KindExtend:
		h.expires = max(h.expires, now+op.Timeout)
		a := b.accounts[h.account]
		a.version++
		b.holds[id], b.accounts[h.account] = h, a
		return b.toldOf(h.account, h.remaining)
	}
	return b.capture(op, now, h)
}

func (b *books) capture(op Operation, now int64, h modelHold) Result {
	id, to := string(op.Hold), string(op.Credit)
	d := b.accounts[h.account]
	if to == "" {
		to = "@" + d.ledger + "/debits"
	}
	c, ok := b.accounts[to]
	amount := op.Amount
	if amount == 0 {
		amount = h.remaining
	}
	switch {
	case !ok:
		return Result{Code: CodeUnknownAccount, Side: SideCredit}
	case c.ledger != d.ledger:
		return Result{Code: CodeLedgerMismatch, Side: SideCredit}
	case to == h.account:
		return Result{Code: CodeSameAccount, Side: SideCredit}
	case op.IfVersion != 0 && op.IfVersion != d.version:
		return Result{Code: CodeVersionMismatch, Side: SideDebit, Version: d.version}
	}
	d2, c2 := new(big.Int).Sub(d.posted, big.NewInt(amount)), new(big.Int).Add(c.posted, big.NewInt(amount))
	switch {
	case c.closed:
		return Result{Code: CodeAccountClosed, Side: SideCredit}
	case d.frozen:
		return Result{Code: CodeAccountFrozen, Side: SideDebit}
	case c.frozenCredits:
		return Result{Code: CodeAccountFrozen, Side: SideCredit}
	case amount > h.remaining:
		return Result{Code: CodeExceedsHold, Asked: amount, Available: h.remaining}
	case c.ceiling != nil && c2.Cmp(c.ceiling) > 0:
		return Result{Code: CodeCeilingExceeded, Side: SideCredit, Asked: amount, Available: limited(new(big.Int).Sub(c.ceiling, c.posted))}
	case !d2.IsInt64():
		return Result{Code: CodeOverflow, Side: SideDebit, Asked: amount}
	case !c2.IsInt64() && c.system:
		return Result{Code: CodeOverflow, Asked: amount}
	case !c2.IsInt64():
		return Result{Code: CodeOverflow, Side: SideCredit, Asked: amount}
	}
	d.posted, c.posted = d2, c2
	d.held -= amount
	c.version++
	h.remaining, h.captured = h.remaining-amount, h.captured+amount
	b.accounts[h.account], b.accounts[to], b.holds[id] = d, c, h
	if !h.parts || op.Last || h.remaining == 0 {
		b.endHold(id, HoldCaptured, now)
	} else {
		d.version++
		b.accounts[h.account] = d
	}
	return b.toldOf(h.account, amount)
}

// compareHolds compares every hold, and the list of each account's open ones.
func (r *run) compareHolds() {
	t := r.t
	open := map[string][]string{}
	for id, want := range r.m.books.holds {
		h, ok := r.s.Hold([]byte(id))
		if !ok || h.Account != want.account || h.Amount != want.amount || h.Remaining != want.remaining || h.Captured != want.captured ||
			h.Expires != want.expires || h.Ended != want.ended || h.State != want.state || h.InParts != want.parts {
			t.Fatalf("hold %s: %+v, want %+v", id, h, want)
		}
		if want.state == HoldOpen {
			open[want.account] = append(open[want.account], id)
		}
	}
	for id := range r.m.books.accounts {
		for _, s := range []*State{r.s, r.reloaded} {
			var got []string
			for from, more := (HoldCursor{}), true; more; more = from != (HoldCursor{}) {
				var page []Hold
				page, from, _ = s.Holds([]byte(id), from, 2)
				for i := range page {
					got = append(got, page[i].ID)
				}
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(open[id]))
			if !slices.Equal(got, want) {
				t.Fatalf("open holds of %s: %q, want %q", id, got, want)
			}
		}
	}
}
