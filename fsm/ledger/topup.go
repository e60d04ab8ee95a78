package ledger

// topUpBook is the table of top-ups and what is derived from it.
type topUpBook struct {
	lifeBook
	due    slotHeap // open ones by the time from which on they may be leased
	places []uint32 // where they are in due, + 1; 0: they are not
}

func (b *topUpBook) forgetDerived() {
	b.lifeBook.forgetDerived()
	b.idOf, b.places, b.due = topUpIDOf, nil, slotHeap{}
	b.due.moved = func(slot uint32, at int) { b.places[slot] = uint32(at + 1) }
}

func (b *topUpBook) opened(slot uint32, due int64) {
	for uint64(len(b.places)) < b.table.Len() {
		b.places = append(b.places, 0)
	}
	b.due.push(keyed{due, slot})
}

// topUpDraft is the copy of a top-up that a unit works on.
type topUpDraft struct {
	topUp
	slot   uint32
	holder []byte // of the newest lease, where the unit leased it
	before topUp  // as it is in the record
}

// topUpEntry is what an entry tells of a top-up, or (source) of a policy, beside what every entry has.
type topUpEntry struct {
	topUp
	previous uint64
	until    int64
	source   uint32
}

// tellTopUp keeps what the newest effect's entry says.
func (w *work) tellTopUp(e topUpEntry) {
	w.topUpEntries = append(w.topUpEntries, e)
	w.effects[len(w.effects)-1].detail = len(w.topUpEntries)
}

// considerTopUps makes the top-ups that the unit makes necessary, and takes back those that must not be any more. It comes
// last, so that a group counts as a whole. That the top-up is made in the step that crosses the threshold, and before
// anybody can charge for it, is all that keeps a card from being charged twice.
func (s *State) considerTopUps() {
	for i := range s.work.touched {
		if s.work.touched[i].flags&flagTopUp != 0 {
			s.considerTopUp(i)
		}
	}
	for i := range s.work.policies {
		if p := &s.work.policies[i]; !p.on && p.open != 0 {
			s.cancelTopUp(s.open(p.account), p)
		}
	}
}

// mayNeed is false for most changes of an account with a policy, from a few fields of its record: nothing is wanted, or it is
// under way, or it is not time yet.
func (b *policyBook) mayNeed(slot uint32, t *touch, now int64) bool {
	rec := b.table.Get(uint64(slot))
	frozen := t.flags&(flagFrozen|flagClosed) != 0
	if le.Uint32(rec[offPolicyOpen:]) != 0 {
		return frozen
	}
	return !frozen && t.available() < i64(rec[offPolicyThreshold:]) && i64(rec[offPolicyLook:]) <= now
}

func (s *State) considerTopUp(i int) {
	t := &s.work.touched[i]
	if len(s.work.policies) == 0 && !s.policies.mayNeed(s.policies.byUser[t.slot], t, s.meta.logTime) {
		return
	}
	p, _ := s.openPolicy(t.slot)
	frozen := t.flags&(flagFrozen|flagClosed) != 0
	switch {
	case p.open != 0:
		if frozen {
			s.cancelTopUp(i, p)
		}
	case frozen || t.available() >= p.threshold || p.look > s.meta.logTime:
	default:
		s.makeTopUp(i, p)
	}
}

// makeTopUp makes a top-up, unless the account's ceiling, a decline or a cap is in the way.
func (s *State) makeTopUp(i int, p *policyDraft) {
	t, now := &s.work.touched[i], s.meta.logTime
	amount := p.amount
	if amount == 0 {
		amount = less(p.target, t.available())
	}
	p.look = 0
	if t.flags&flagCeiling != 0 && amount > less(t.ceiling, t.posted) || s.topUps.full() {
		return
	}
	if p.rest > now {
		p.look = p.rest
		return
	}
	if at, fits := p.fits(amount, now); !fits {
		p.look = at
		return
	}
	p.count(amount)
	p.made++
	slot, rec := s.topUps.nextFree(s.index)
	d := topUpDraft{slot: slot, topUp: topUp{
		amount: amount, created: now, leased: now, keyLifetime: p.keyLifetime, account: t.slot, state: TopUpOpen,
		id: topUpID(s.idOf(t), p.since, p.made),
	}}
	p.open = slot + 1
	s.acceptTopUp(s.caused(&d.topUp), &Result{}, EntryTopUpOpened, i, &d, 0)
	d.encode(rec)
	putTopUpPayment(rec, p.payment[:p.paymentLen])
	s.topUps.made(slot, rec, s.index)
	s.topUps.opened(slot, now)
}

func (b *topUpBook) full() bool { return b.table.Len() >= maxTopUps && len(b.free.items) == 0 }

// idOf is the id of an account of the unit.
func (s *State) idOf(t *touch) []byte {
	if t.created {
		return t.id
	}
	return s.idAt(t.slot)
}

// caused is what the entry of a change is made of that nobody asked for: it carries the top-up's id.
func (s *State) caused(d *topUp) *Operation {
	return &Operation{ID: AppendUUID(make([]byte, 0, UUIDTextLen), d.id[:])}
}

// fits: the caps have room for a top-up of this amount now. Otherwise at is when they may have more, 0: not by waiting alone.
func (p *topUpPolicy) fits(amount, now int64) (at int64, ok bool) {
	ok = true
	for i, want := range [MaxCaps]int64{capCount: 1, capSum: amount} {
		c := &p.caps[i]
		if c.Window == 0 {
			continue
		}
		if c.pass(now); want > c.room() {
			at, ok = max(at, c.next()), false
		}
	}
	return at, ok
}

// count counts a top-up that is made now.
func (p *topUpPolicy) count(amount int64) {
	for i, n := range [MaxCaps]int64{capCount: 1, capSum: amount} {
		if c := &p.caps[i]; c.Window != 0 {
			c.add(n)
		}
	}
}

// uncount takes back what was counted for a top-up, if it still counts: the caps may have been set since.
func (p *topUpPolicy) uncount(d *topUp, cap int, n int64, now int64) {
	if c := &p.caps[cap]; c.Window != 0 && d.first > c.since {
		c.pass(now)
		c.giveBack(d.created, n)
	}
}

// recount has a top-up that succeeded count from now on, and not from when it was made: it may have been charged as late as this.
// Caps that were set since do not count it. It never counts for more than before, so a sum stays within its range.
func (p *topUpPolicy) recount(d *topUp, now int64) {
	for i, n := range [MaxCaps]int64{capCount: 1, capSum: d.amount} {
		if c := &p.caps[i]; c.Window != 0 && d.first > c.since {
			p.uncount(d, i, n, now)
			c.add(n)
		}
	}
}

// next is the time at which the oldest of what counts will not any more; 0: nothing counts.
func (c *capState) next() int64 {
	for n := max(0, c.newest-bucketsPerWindow); n <= c.newest; n++ {
		if c.sums[n%capBuckets] != 0 {
			return (n + capBuckets) * c.width()
		}
	}
	return 0
}

// openTopUp returns the unit's copy of a top-up. A later openTopUp may move it.
func (s *State) openTopUp(id []byte) (*topUpDraft, bool) {
	key, ok := ParseUUID(id)
	if !ok {
		return nil, false
	}
	slot, ok := s.topUps.find(key[:], s.meta.horizon)
	if !ok {
		return nil, false
	}
	return s.openTopUpAt(slot), true
}

func (s *State) openTopUpAt(slot uint32) *topUpDraft {
	w := &s.work
	for i := range w.topUps {
		if d := &w.topUps[i]; d.slot == slot {
			return d
		}
	}
	t := decodeTopUp(s.topUps.table.Get(uint64(slot)))
	w.topUps = append(w.topUps, topUpDraft{topUp: t, before: t, slot: slot})
	return &w.topUps[len(w.topUps)-1]
}

// evaluateTopUp decides operations on a top-up that exists.
func (s *State) evaluateTopUp(op *Operation, res *Result) {
	f := op.topUp()
	d, ok := s.openTopUp(f.ID)
	if !ok {
		refuse(res, CodeUnknownTopUp, SideNone)
		return
	}
	i := s.open(d.account)
	s.work.sides = [3]int{SideNone: i + 1, SideCredit: i + 1}
	switch {
	case d.state != TopUpOpen:
		refuse(res, CodeTopUpEnded, SideNone)
	case !versionIs(op, &s.work.touched[i].account, res, SideCredit):
	case op.Kind == KindLeaseTopUp && d.leased > s.meta.logTime, f.Lease != 0 && f.Lease != d.lease:
		refuse(res, CodeTopUpLeased, SideNone)
	case f.Outcome == OutcomeDeclined && f.Lease == 0 && d.leased > s.meta.logTime:
		// Whoever has it may be charging now, and what is charged must find it open.
		refuse(res, CodeTopUpLeased, SideNone)
	case op.Kind == KindLeaseTopUp:
		s.leaseTopUp(op, res, i, d)
	case f.Outcome == OutcomeSucceeded:
		s.creditTopUp(op, res, i, d)
	case f.Outcome == OutcomeDeclined:
		s.declineTopUp(op, res, i, d)
	default:
		d.unknown = true
		s.acceptTopUp(op, res, EntryTopUpUnknown, i, d, d.leased)
	}
}

func (s *State) leaseTopUp(op *Operation, res *Result, i int, d *topUpDraft) {
	d.lease++
	d.leased, d.holder = s.expiry(op.Timeout), op.Reference
	if d.firstLease == 0 {
		d.firstLease = s.meta.logTime
	}
	s.acceptTopUp(op, res, EntryTopUpLeased, i, d, d.leased)
	res.Amount = d.amount
}

// creditTopUp credits the account with what was charged: a movement like others, for which the account must have room. Where
// it has not, the top-up stays open.
func (s *State) creditTopUp(op *Operation, res *Result, i int, d *topUpDraft) {
	p, _ := s.openPolicy(d.account)
	mv := movement{debit: s.open(p.source), credit: i, side: SideCredit}
	s.work.sides[SideDebit] = mv.debit + 1
	from, to := &s.work.touched[mv.debit].account, &s.work.touched[mv.credit].account
	if !mayPass(from, to, res) {
		return
	}
	previous := d.last
	if !s.move(op, res, EntryTopUpSucceeded, mv, d.amount) {
		return
	}
	p.recount(&d.topUp, s.meta.logTime)
	p.open, p.declines = 0, 0
	d.end(TopUpSucceeded, s.meta.logTime)
	d.last = res.Sequence
	s.work.tellTopUp(topUpEntry{topUp: d.topUp, previous: previous})
	res.Amount, res.CreditPosted = d.amount, 0
}

func (d *topUp) end(state TopUpState, now int64) { d.state, d.ended = state, now }

// declineTopUp: nothing was charged, so it counts for the number of tries and not for the sum. The next is made when the
// back-off is over.
func (s *State) declineTopUp(op *Operation, res *Result, i int, d *topUpDraft) {
	p, _ := s.openPolicy(d.account)
	now := s.meta.logTime
	p.uncount(&d.topUp, capSum, d.amount, now)
	p.open, p.declines = 0, p.declines+1
	if p.on {
		p.rest = s.expiry(p.backOff)
		p.look = p.rest
	}
	d.end(TopUpDeclined, now)
	s.acceptTopUp(op, res, EntryTopUpDeclined, i, d, p.rest)
}

// cancelTopUp takes back a top-up that nobody has leased yet: nobody can have charged for it.
func (s *State) cancelTopUp(i int, p *policyDraft) {
	d, now := s.openTopUpAt(p.open-1), s.meta.logTime
	if d.lease != 0 {
		return
	}
	p.uncount(&d.topUp, capCount, 1, now)
	p.uncount(&d.topUp, capSum, d.amount, now)
	p.open = 0
	d.end(TopUpCancelled, now)
	s.acceptTopUp(s.caused(&d.topUp), &Result{}, EntryTopUpCancelled, i, d, 0)
}

// acceptTopUp accepts a change of a top-up that moves nothing: an entry about its account.
func (s *State) acceptTopUp(op *Operation, res *Result, kind EntryKind, i int, d *topUpDraft, until int64) {
	t, previous := &s.work.touched[i], d.last
	s.accept(op, res, effect{kind: kind, hasCredit: true, credit: t.slot, prevCredit: t.last, creditPosted: t.posted}, &t.account)
	if d.last = res.Sequence; d.first == 0 {
		d.first = res.Sequence
	}
	s.work.tellTopUp(topUpEntry{topUp: d.topUp, previous: previous, until: until})
	res.DebitPosted, res.Available = t.posted, t.available()
}

// commitTopUps writes back the top-ups that the unit changed and keeps what is derived in step.
func (s *State) commitTopUps() {
	b, firstEnded := &s.topUps, len(s.topUps.ended)
	for i := range s.work.topUps {
		d := &s.work.topUps[i]
		if d.topUp == d.before {
			continue
		}
		rec := b.table.Begin(uint64(d.slot))
		d.encode(rec)
		if d.lease != d.before.lease {
			putTopUpHolder(rec, d.holder)
		}
		b.table.End(uint64(d.slot), s.index)
		switch place := int(b.places[d.slot]) - 1; {
		case d.state != TopUpOpen:
			b.due.remove(place)
			b.ended = append(b.ended, d.slot)
		case d.leased != d.before.leased:
			b.due.fix(place, keyed{d.leased, d.slot})
		}
	}
	b.sortEnded(firstEnded)
}

// wakesPerCall bounds the policies that one call looks at because their time has come; the next one goes on.
const wakesPerCall = 1000

// wakePolicies looks whether top-ups are wanted where time alone may have changed that, the earliest first.
func (s *State) wakePolicies(out *Output) {
	for range wakesPerCall {
		k, ok := s.policies.looks.first()
		if !ok || k.key > s.meta.logTime {
			return
		}
		s.work.start(s, nil, nil)
		account := le.Uint32(s.policies.table.Get(uint64(k.slot))[8:])
		s.open(account)
		p, _ := s.openPolicy(account)
		p.look = 0
		s.commitEffects(out)
	}
}

func (s *State) rebuildTopUps(pause *pacer) error {
	b := &s.topUps
	open, err := b.rebuild(pause, func(slot uint32, rec []byte) error {
		d := decodeTopUp(rec)
		if rec[78] > MaxReferenceLen || rec[79] > MaxPaymentLen || uint64(d.account) >= s.accounts.Len() {
			return stateError("top-up %d has texts of %d and %d bytes and is of account %d, there are %d", slot, rec[78], rec[79], d.account, s.accounts.Len())
		}
		if problem := d.problem(); problem != "" {
			return stateError("top-up %x: %s", d.id, problem)
		}
		if d.state != TopUpOpen {
			return nil
		}
		return s.checkOpenTopUp(slot, d.account)
	})
	for _, slot := range open {
		b.opened(slot, i64(b.table.Get(uint64(slot))[32:]))
	}
	if err == nil && s.policiesWithOpen() != len(open) {
		err = stateError("%d policies have an open top-up, and there are %d", s.policiesWithOpen(), len(open))
	}
	return err
}

// checkOpenTopUp: the account's policy says that it is the open one.
func (s *State) checkOpenTopUp(slot, account uint32) error {
	policy, ok := s.policies.byUser[account]
	if !ok || le.Uint32(s.policies.table.Get(uint64(policy))[offPolicyOpen:]) != slot+1 {
		return stateError("top-up %d of account %d is open, and no policy says so", slot, account)
	}
	return nil
}

func (s *State) policiesWithOpen() (n int) {
	for slot := range s.policies.table.Len() {
		if le.Uint32(s.policies.table.Get(slot)[offPolicyOpen:]) != 0 {
			n++
		}
	}
	return n
}
