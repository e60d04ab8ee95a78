package ledger

// TopUp is a top-up as it is read.
type TopUp struct {
	ID, Account string
	Ledger      string
	Scale       uint8 // decimal places of Amount
	State       TopUpState
	// Amount in minor units.
	Amount int64
	// Payment is what the processor knows the customer's card by.
	Payment string
	// Log times, Unix nanoseconds. Leased is when it may be leased again, ChargeBy until when it may be charged: 0 before the
	// first lease. Ended is 0 while it is open.
	Created, Leased, ChargeBy, Ended int64
	// Lease is the number of the newest lease, 0: none yet. Holder is who has it.
	Lease  uint32
	Holder string
	// LookupOnly: under the newest lease it may be looked up and not charged.
	LookupOnly bool
	// Unknown: somebody who leased it could not tell what became of the charge.
	Unknown bool
	// Sequences of the entry that made it and of its newest one.
	FirstSequence, LastSequence uint64
}

// TopUp reads a top-up by id. False: there is none, or it ended before the horizon.
func (s *State) TopUp(id []byte) (TopUp, bool) {
	key, ok := ParseUUID(id)
	if !ok {
		return TopUp{}, false
	}
	slot, ok := s.topUps.find(key[:], s.meta.horizon)
	if !ok {
		return TopUp{}, false
	}
	return s.topUpAt(slot), true
}

func (s *State) topUpAt(slot uint32) TopUp {
	rec := s.topUps.table.Get(uint64(slot))
	d := decodeTopUp(rec)
	a, _ := s.AccountBySlot(d.account)
	t := TopUp{
		ID: string(AppendUUID(nil, d.id[:])), Account: a.ID, Ledger: a.Ledger, Scale: a.Scale, State: d.state, Amount: d.amount,
		Payment: string(topUpPayment(rec)), Created: d.created, Leased: d.leased, Ended: d.ended, Lease: d.lease, Holder: string(topUpHolder(rec)),
		LookupOnly: d.lease > 0 && !d.mayCharge(), Unknown: d.unknown, FirstSequence: d.first, LastSequence: d.last,
	}
	if d.lease > 0 {
		t.ChargeBy = d.chargeBy()
	}
	return t
}

// OpenTopUps is the number of open top-ups.
func (s *State) OpenTopUps() int { return len(s.topUps.due.items) }

// DueTopUps are the ids of top-ups that may be leased at a time, Unix nanoseconds, those that have been due longest first, at
// most limit.
func (s *State) DueTopUps(now int64, limit int) (ids []string) {
	items := s.topUps.due.items
	var next slotHeap // places in due by what is there: a heap's second is one of the children of its first, and so on
	push := func(place int) {
		if place < len(items) && items[place].key <= now {
			next.push(keyed{items[place].key, uint32(place)})
		}
	}
	push(0)
	for len(ids) < limit {
		k, ok := next.first()
		if !ok {
			break
		}
		next.remove(0)
		place := int(k.slot)
		ids = append(ids, string(AppendUUID(nil, topUpIDOf(s.topUps.table.Get(uint64(items[place].slot))))))
		push(2*place + 1)
		push(2*place + 2)
	}
	return ids
}

// TopUps lists top-ups in the order of their places in the state, from a place on, up to limit (1 or more): open ones, or with
// ended also those that have ended and are remembered. next is where the list goes on; false: it is at its end. There may be
// fewer than the limit: the call has looked at enough for one hold of the lock.
func (s *State) TopUps(from uint64, ended bool, limit int) (topUps []TopUp, next uint64, more bool) {
	b := &s.topUps
	for slot := from; slot < b.table.Len(); slot++ {
		if len(topUps) == limit || slot-from == scanMax {
			return topUps, slot, true
		}
		rec := b.table.Get(slot)
		if end := i64(rec[offEnded:]); rec[offLifeState] != 0 && (end == 0 || ended && end >= s.meta.horizon) {
			topUps = append(topUps, s.topUpAt(uint32(slot)))
		}
	}
	return topUps, 0, false
}

// TopUpPolicy is an account's policy as it is read.
type TopUpPolicy struct {
	Account, Source string
	Ledger          string
	Scale           uint8 // decimal places of the amounts below
	On              bool  // false: it was taken away
	// Minor units, one of Amount and Target is 0.
	Threshold, Amount, Target int64
	// Nanoseconds.
	BackOff, KeyLifetime int64
	// Those with a Window of 0 are none.
	CountCap, SumCap CapUse
	Payment          string
	// Open is the id of its open top-up; empty: there is none.
	Open string
	// Made counts the account's top-ups, Declines those declined in a row. RestsUntil is the log time until which none is made
	// after a decline, LooksAt when it is looked at again because of that or of a cap; Unix nanoseconds, 0: not so.
	Made                uint64
	Declines            uint32
	RestsUntil, LooksAt int64
}

// TopUpPolicy reads an account's policy. False: the account, where there is one (known), never had one.
func (s *State) TopUpPolicy(account []byte) (v TopUpPolicy, known, ok bool) {
	slot, known := s.find(account)
	if !known {
		return v, false, false
	}
	at, ok := s.policies.byUser[slot]
	if !ok {
		return v, true, false
	}
	p := decodePolicy(s.policies.table.Get(uint64(at)))
	a, _ := s.AccountBySlot(slot)
	use := s.useOf(&p.caps)
	v = TopUpPolicy{
		Account: a.ID, Source: string(s.idAt(p.source)), Ledger: a.Ledger, Scale: a.Scale, On: p.on, Threshold: p.threshold, Amount: p.amount,
		Target: p.target, BackOff: p.backOff, KeyLifetime: p.keyLifetime, CountCap: use[capCount], SumCap: use[capSum],
		Payment: string(p.payment[:p.paymentLen]), Made: p.made, Declines: p.declines, LooksAt: p.look,
	}
	if p.rest > s.meta.logTime {
		v.RestsUntil = p.rest
	}
	if p.open != 0 {
		v.Open = string(AppendUUID(nil, topUpIDOf(s.topUps.table.Get(uint64(p.open-1)))))
	}
	return v, true, true
}
