package ledger

import "github.com/ballastdb/ballast/fsm/page"

// topUpPolicy is an account's policy on topping it up, and what is known of its top-ups. Policy record, policyBytes long;
// docs/formats/state.md has the table.
type topUpPolicy struct {
	account, source      uint32 // slots
	threshold            int64
	amount, target       int64 // one of them is 0
	backOff, keyLifetime int64
	since                int64  // log time at which the account first had a policy
	made                 uint64 // top-ups so far
	rest                 int64  // log time until which none is made, after a decline
	look                 int64  // log time at which to look again whether one is wanted; 0: a change of the account tells
	open                 uint32 // slot + 1 of the open top-up, 0: none
	declines             uint32 // in a row
	on                   bool   // the policy is in force
	caps                 [MaxCaps]capState
	payment              [MaxPaymentLen]byte
	paymentLen           uint8
}

// Where a policy's record keeps what is looked at for each change of the account.
const (
	offPolicyThreshold = 16
	offPolicyLook      = 80
	offPolicyOpen      = 88
	offPolicyOn        = 96
	offPolicyPayment   = 104
	offPolicyCaps      = offPolicyPayment + MaxPaymentLen
)

func decodePolicy(rec []byte) (p topUpPolicy) {
	_ = rec[policyBytes-1]
	p = topUpPolicy{
		account: le.Uint32(rec[8:]), source: le.Uint32(rec[12:]),
		threshold: i64(rec[offPolicyThreshold:]), amount: i64(rec[24:]), target: i64(rec[32:]), backOff: i64(rec[40:]), keyLifetime: i64(rec[48:]),
		since: i64(rec[56:]), made: le.Uint64(rec[64:]), rest: i64(rec[72:]), look: i64(rec[offPolicyLook:]),
		open: le.Uint32(rec[offPolicyOpen:]), declines: le.Uint32(rec[92:]), on: rec[offPolicyOn] != 0, paymentLen: rec[97],
	}
	copy(p.payment[:], rec[offPolicyPayment:])
	decodeCaps(rec[offPolicyCaps:], &p.caps)
	return p
}

func (p *topUpPolicy) encode(rec []byte) {
	_ = rec[policyBytes-1]
	le.PutUint32(rec[8:], p.account)
	le.PutUint32(rec[12:], p.source)
	putI64(rec[offPolicyThreshold:], p.threshold)
	putI64(rec[24:], p.amount)
	putI64(rec[32:], p.target)
	putI64(rec[40:], p.backOff)
	putI64(rec[48:], p.keyLifetime)
	putI64(rec[56:], p.since)
	le.PutUint64(rec[64:], p.made)
	putI64(rec[72:], p.rest)
	putI64(rec[offPolicyLook:], p.look)
	le.PutUint32(rec[offPolicyOpen:], p.open)
	le.PutUint32(rec[92:], p.declines)
	rec[offPolicyOn], rec[97] = 0, p.paymentLen
	if p.on {
		rec[offPolicyOn] = 1
	}
	copy(rec[offPolicyPayment:], p.payment[:])
	encodeCaps(rec[offPolicyCaps:], &p.caps)
}

// policyBook is the table of policies. An account has a record from the first time that it has a policy, for ever.
type policyBook struct {
	table  *page.Table
	byUser map[uint32]uint32 // slot of the account -> slot here
	looks  slotHeap          // those to look at again, by when
	places []uint32          // where they are in looks, + 1; 0: they are not
}

func (b *policyBook) forgetDerived() {
	b.byUser, b.places, b.looks = map[uint32]uint32{}, nil, slotHeap{}
	b.looks.moved = func(slot uint32, at int) { b.places[slot] = uint32(at + 1) }
}

// lookAt puts a policy where its time to be looked at belongs.
func (b *policyBook) lookAt(slot uint32, at int64) {
	for uint64(len(b.places)) < b.table.Len() {
		b.places = append(b.places, 0)
	}
	switch place := b.places[slot]; {
	case place == 0 && at != 0:
		b.looks.push(keyed{at, slot})
	case place != 0 && at == 0:
		b.looks.remove(int(place - 1))
	case place != 0:
		b.looks.fix(int(place-1), keyed{at, slot})
	}
}

// policyDraft is the copy of a policy that a unit works on.
type policyDraft struct {
	topUpPolicy
	slot    uint32
	created bool
	before  topUpPolicy // as it is in the record
}

// openPolicy returns the unit's copy of the account's policy. False: it never had one. A later openPolicy may move it.
func (s *State) openPolicy(account uint32) (*policyDraft, bool) {
	w := &s.work
	for i := range w.policies {
		if d := &w.policies[i]; d.account == account {
			return d, true
		}
	}
	slot, ok := s.policies.byUser[account]
	if !ok {
		return nil, false
	}
	p := decodePolicy(s.policies.table.Get(uint64(slot)))
	w.policies = append(w.policies, policyDraft{topUpPolicy: p, before: p, slot: slot})
	return &w.policies[len(w.policies)-1], true
}

// setTopUpPolicy gives the account at a place in touched a policy in the place of the one that it has, or takes it away. An
// open top-up stays as it is, unless the policy is taken away before anybody leased it.
func (s *State) setTopUpPolicy(op *Operation, m *member, i int, res *Result) {
	w, f := &s.work, op.topUp()
	if f.Off {
		s.acceptChange(op, res, EntryTopUpPolicySet, i)
		w.tellTopUp(topUpEntry{})
		s.dropPolicy(i)
		return
	}
	source, ok := s.sourceOf(op, m, i, res)
	if !ok {
		return
	}
	t := &w.touched[i]
	p, ok := s.openPolicy(t.slot)
	if !ok {
		w.policies = append(w.policies, policyDraft{created: true, topUpPolicy: topUpPolicy{account: t.slot, since: s.meta.logTime}})
		p = &w.policies[len(w.policies)-1]
	}
	p.on, p.source, p.threshold, p.amount, p.target = true, source, f.Threshold, op.Amount, f.Target
	p.backOff, p.keyLifetime, p.rest, p.look, p.declines = f.BackOff, f.KeyLifetime, 0, 0, 0
	p.payment, p.paymentLen = [MaxPaymentLen]byte{}, uint8(len(f.Payment))
	copy(p.payment[:], f.Payment)
	for n, c := range op.Caps {
		switch was := &p.caps[n]; {
		case c.Window == 0:
			*was = capState{}
		case c.Window == was.Window:
			was.Limit = c.Limit
		default:
			*was = s.newCap(c)
		}
	}
	t.flags |= flagTopUp
	s.acceptChange(op, res, EntryTopUpPolicySet, i)
	w.tellTopUp(topUpEntry{source: source})
}

// sourceOf is the account that the top-ups are debited to: the one named, or else the ledger's own.
func (s *State) sourceOf(op *Operation, m *member, i int, res *Result) (slot uint32, ok bool) {
	if len(op.Debit) == 0 {
		credits, _ := s.systemAccounts(s.work.touched[i].ledger)
		return credits, true
	}
	from, ok := s.resolve(op.Debit, &m.debit)
	if !ok {
		refuse(res, CodeUnknownAccount, SideDebit)
		return 0, false
	}
	s.work.sides[SideDebit] = from + 1
	switch t := &s.work.touched[from]; {
	case t.ledger != s.work.touched[i].ledger:
		refuse(res, CodeLedgerMismatch, SideDebit)
	case t.flags&flagClosed != 0:
		refuse(res, CodeAccountClosed, SideDebit)
	default:
		return t.slot, true
	}
	return 0, false
}

// dropPolicy ends the policy of the account at a place in touched, if it has one.
func (s *State) dropPolicy(i int) {
	t := &s.work.touched[i]
	t.flags &^= flagTopUp
	if p, ok := s.openPolicy(t.slot); ok {
		p.on, p.look, p.rest = false, 0, 0
	}
}

// topUpOpen: the account has a top-up that is not settled.
func (s *State) topUpOpen(account uint32) bool {
	if len(s.policies.byUser) == 0 && len(s.work.policies) == 0 {
		return false
	}
	p, ok := s.openPolicy(account)
	return ok && p.open != 0
}

func (s *State) commitPolicies() {
	b := &s.policies
	for i := range s.work.policies {
		d := &s.work.policies[i]
		switch {
		case d.created:
			slot, rec := b.table.Append(s.index)
			d.encode(rec)
			b.table.End(slot, s.index)
			d.slot = uint32(slot)
			b.byUser[d.account] = d.slot
		case d.topUpPolicy != d.before:
			d.encode(b.table.Begin(uint64(d.slot)))
			b.table.End(uint64(d.slot), s.index)
		default:
			continue
		}
		if d.look != d.before.look {
			b.lookAt(d.slot, d.look)
		}
	}
}

func (s *State) rebuildPolicies(pause *pacer) error {
	b := &s.policies
	for slot := range b.table.Len() {
		if err := pause.next(); err != nil {
			return err
		}
		p := decodePolicy(b.table.Get(slot))
		if _, twice := b.byUser[p.account]; twice || uint64(max(p.account, p.source)) >= s.accounts.Len() || p.paymentLen > MaxPaymentLen {
			return stateError("policy %d is of account %d and debits account %d, there are %d, and each has one at most", slot, p.account, p.source, s.accounts.Len())
		}
		if err := checkCaps(&p.caps); err != nil {
			return stateError("policy %d: %v", slot, err)
		}
		b.byUser[p.account] = uint32(slot)
		if p.look != 0 {
			b.lookAt(uint32(slot), p.look)
		}
	}
	return nil
}
