package ledger

import (
	"bytes"
	"math"
)

// holdDraft is the copy of a hold that a unit works on.
type holdDraft struct {
	hold
	id      []byte // of a created one the operation's, else aliases the record
	slot    uint32 // of one that is not created
	created bool
	before  hold // as it is in the record
}

// openHold returns the place in holds of the hold with this id, one that the unit creates included. A later openHold may
// move what holds points to.
func (s *State) openHold(id []byte) (int, bool) {
	w := &s.work
	if slot, ok := s.holds.find(id, s.meta.horizon); ok {
		return w.openHoldAt(s, slot), true
	}
	for i := range w.holds {
		if d := &w.holds[i]; d.created && bytes.Equal(d.id, id) {
			return i, true
		}
	}
	return 0, false
}

func (w *work) openHoldAt(s *State, slot uint32) int {
	for i := range w.holds {
		if d := &w.holds[i]; !d.created && d.slot == slot {
			return i
		}
	}
	rec := s.holds.table.Get(uint64(slot))
	h := decodeHold(rec)
	w.holds = append(w.holds, holdDraft{hold: h, before: h, id: holdID(rec), slot: slot})
	return len(w.holds) - 1
}

// holdEntry is what an entry tells of a hold beside what every entry has.
type holdEntry struct {
	id        []byte
	previous  uint64
	remaining int64
	released  int64
	expires   int64
	parts     bool
	ended     bool
}

// entryOf tells of the hold as it is now; released is what this change gave back.
func (d *holdDraft) entryOf(released int64) holdEntry {
	return holdEntry{
		id: d.id, previous: d.last, remaining: d.remaining, released: released, expires: d.expires, parts: d.parts, ended: d.state != HoldOpen,
	}
}

// tell keeps what the next effect's entry says of a hold; it returns the effect's detail.
func (w *work) tell(e holdEntry) int {
	w.holdEntries = append(w.holdEntries, e)
	return len(w.holdEntries)
}

// endHold ends the hold and gives back what remains of it.
func (s *State) endHold(d *holdDraft, state HoldState, t *touch) (released int64) {
	released = d.remaining
	d.state, d.remaining, d.ended = state, 0, s.meta.logTime
	t.held -= released
	s.unspend(t, &d.hold, released)
	return released
}

func (s *State) evaluateHold(op *Operation, m *member, res *Result) {
	i, ok := s.resolve(op.Debit, &m.debit)
	if !ok {
		refuse(res, CodeUnknownAccount, SideDebit)
		return
	}
	s.work.sides[SideDebit] = i + 1
	a := &s.work.touched[i].account
	held, fits := add(a.held, op.Amount)
	_, exists := s.openHold(op.ID)
	switch {
	case !versionIs(op, a, res, SideDebit):
	case a.flags&flagClosed != 0:
		refuse(res, CodeAccountClosed, SideDebit)
	case exists:
		refuse(res, CodeHoldExists, SideNone)
	case a.flags&flagFrozen != 0:
		refuse(res, CodeAccountFrozen, SideDebit)
	case op.Amount > a.available():
		refuse(res, CodeInsufficientFunds, SideDebit)
		res.Asked, res.Available = op.Amount, a.available()
	case !s.spend(&s.work.touched[i], op.Amount, res):
	case !fits:
		refuse(res, CodeOverflow, SideDebit)
		res.Asked = op.Amount
	case s.holds.table.Len()+uint64(len(s.work.holds)) >= maxHolds:
		refuse(res, CodeLimitReached, SideNone)
	default:
		a.held = held
		d := holdDraft{created: true, id: op.ID, hold: hold{
			amount: op.Amount, remaining: op.Amount, created: s.meta.logTime, expires: s.expiry(op.Timeout),
			account: s.work.touched[i].slot, state: HoldOpen, parts: op.Parts,
		}}
		s.work.holds = append(s.work.holds, d)
		s.acceptHold(op, res, EntryHoldCreated, i, len(s.work.holds)-1, 0)
		res.Amount = op.Amount
	}
}

// expiry is when a hold ends that is given so much time now.
func (s *State) expiry(timeout int64) int64 {
	at, ok := add(s.meta.logTime, timeout)
	if !ok {
		return math.MaxInt64
	}
	return at
}

// acceptHold accepts a change of a hold that moves nothing: an entry about its account.
func (s *State) acceptHold(op *Operation, res *Result, kind EntryKind, account, hold int, released int64) {
	t, d := &s.work.touched[account], &s.work.holds[hold]
	s.accept(op, res, effect{
		kind: kind, hasCredit: true, credit: t.slot, prevCredit: t.last, creditPosted: t.posted, detail: s.work.tell(d.entryOf(released)),
	}, &t.account)
	d.follow(res.Sequence)
	res.DebitPosted, res.Available = t.posted, t.available()
}

// follow makes the entry the hold's newest.
func (d *holdDraft) follow(sequence uint64) {
	if d.last = sequence; d.first == 0 {
		d.first = sequence
	}
}

// evaluateHoldChange decides operations on a hold that exists.
func (s *State) evaluateHoldChange(op *Operation, m *member, res *Result) {
	h, ok := s.openHold(op.Hold)
	if !ok {
		refuse(res, CodeUnknownHold, SideNone)
		return
	}
	a := s.open(s.work.holds[h].account)
	s.work.sides[SideNone], s.work.sides[SideDebit] = a+1, a+1
	if code := s.endOf(&s.work.holds[h].hold); code != CodeNone {
		refuse(res, code, SideNone)
		return
	}
	if op.Kind == KindCapture {
		s.evaluateCapture(op, m, res, h, a)
		return
	}
	if !versionIs(op, &s.work.touched[a].account, res, SideDebit) {
		return
	}
	switch op.Kind {
	case KindVoid:
		released := s.endHold(&s.work.holds[h], HoldVoided, &s.work.touched[a])
		s.acceptHold(op, res, EntryHoldVoided, a, h, released)
		res.Amount = released
	case KindExtend:
		d := &s.work.holds[h]
		d.expires = max(d.expires, s.expiry(op.Timeout))
		s.acceptHold(op, res, EntryHoldExtended, a, h, 0)
		res.Amount = d.remaining
	}
}

// endOf is how the hold has ended, as a refusal; CodeNone: it is open. One whose time has come has expired, also where
// its turn to be expired has not come.
func (s *State) endOf(h *hold) Code {
	switch {
	case h.state == HoldCaptured:
		return CodeHoldCaptured
	case h.state == HoldVoided:
		return CodeHoldVoided
	case h.state == HoldExpired || h.expires <= s.meta.logTime:
		return CodeHoldExpired
	}
	return CodeNone
}

// evaluateCapture moves what was held, or a part of it, out of the account.
func (s *State) evaluateCapture(op *Operation, m *member, res *Result, h, debit int) {
	w := &s.work
	_, credit := s.systemAccounts(w.touched[debit].ledger)
	to := 0
	if len(op.Credit) == 0 {
		to = s.open(credit)
	} else {
		var ok bool
		if to, ok = s.resolve(op.Credit, &m.credit); !ok {
			refuse(res, CodeUnknownAccount, SideCredit)
			return
		}
	}
	w.sides[SideCredit] = to + 1
	switch t := w.touched; {
	case t[to].ledger != t[debit].ledger:
		refuse(res, CodeLedgerMismatch, SideCredit)
		return
	case to == debit:
		refuse(res, CodeSameAccount, SideCredit)
		return
	}
	d, c, hd := &w.touched[debit].account, &w.touched[to].account, &w.holds[h]
	amount := op.Amount
	if amount == 0 {
		amount = hd.remaining
	}
	if !versionIs(op, d, res, SideDebit) || !mayPass(d, c, res) || !mayCapture(amount, d, c, hd, res) {
		return
	}
	// What is captured was held: the account has it above its floor, and the subtractions cannot wrap.
	hd.remaining, hd.captured, d.held = hd.remaining-amount, hd.captured+amount, d.held-amount
	released := int64(0)
	if !hd.parts || op.Last || hd.remaining == 0 {
		released = s.endHold(hd, HoldCaptured, &w.touched[debit])
	}
	s.post(op, res, EntryHoldCaptured, movement{debit: debit, credit: to, side: SideDebit}, amount, s.work.tell(hd.entryOf(released)))
	hd.follow(res.Sequence)
	res.Amount, res.CreditPosted = amount, 0 // the record of an answer has room for one of them
}

func mayCapture(amount int64, d, c *account, h *holdDraft, res *Result) bool {
	_, debitFits := sub(d.posted, amount)
	_, creditFits := add(c.posted, amount)
	switch {
	case amount > h.remaining:
		refuse(res, CodeExceedsHold, SideNone)
		res.Asked, res.Available = amount, h.remaining
	case c.flags&flagCeiling != 0 && amount > less(c.ceiling, c.posted):
		refuse(res, CodeCeilingExceeded, SideCredit)
		res.Asked, res.Available = amount, less(c.ceiling, c.posted)
	case !debitFits || !creditFits:
		refuse(res, CodeOverflow, overflowSide(d, c, debitFits))
		res.Asked = amount
	default:
		return true
	}
	return false
}

// commitHolds writes back the holds that the unit changed and keeps what is derived in step.
func (s *State) commitHolds() {
	b, firstEnded := &s.holds, len(s.holds.ended)
	for i := range s.work.holds {
		d := &s.work.holds[i]
		if d.created {
			s.commitNewHold(d)
			continue
		}
		if d.hold == d.before {
			continue
		}
		d.encode(b.table.Begin(uint64(d.slot)))
		b.table.End(uint64(d.slot), s.index)
		switch {
		case d.state != HoldOpen:
			b.closed(d.slot, d.account)
		case d.expires != d.before.expires:
			b.moved(d.slot, d.expires)
		}
	}
	b.sortEnded(firstEnded)
}

func (s *State) commitNewHold(d *holdDraft) {
	b := &s.holds
	slot, rec := b.nextFree(s.index)
	d.encode(rec)
	putHoldID(rec, d.id)
	b.made(slot, rec, s.index)
	b.opened(slot, &d.hold)
	if d.state != HoldOpen { // ended by the unit that made it
		b.closed(slot, d.account)
	}
}
