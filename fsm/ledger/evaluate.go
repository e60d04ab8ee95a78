package ledger

import "math"

// effect is an accepted operation of the unit, on its way to an entry.
type effect struct {
	op                        *Operation
	kind                      EntryKind
	hasDebit                  bool
	hasCredit                 bool
	debit, credit             uint32 // slots
	prevDebit, prevCredit     uint64
	amount                    int64
	debitPosted, creditPosted int64
	detail                    int     // in work.holdEntries or topUpEntries, by kind, from 1; 0: it is about none
	after                     account // of the account that the entry is about, for the entry's details
}

func refuse(res *Result, code Code, side Side) { res.Code, res.Side = code, side }

// evaluate decides one operation on the unit's copies. The order of the checks is part of the semantics: docs/results.md.
func (s *State) evaluate(op *Operation, m *member, res *Result) {
	*res = Result{Attempt: op.Attempt}
	s.work.sides = [3]int{}
	s.evaluateKind(op, m, res)
	if res.Code != CodeApplied {
		s.nameAccount(res)
	}
}

// nameAccount says which account a refusal is about. One that only this unit would have made does not exist after it.
func (s *State) nameAccount(res *Result) {
	if i := s.work.sides[res.Side]; i > 0 && !s.work.touched[i-1].created && (res.Side != SideNone || res.Code != CodeOverflow) {
		res.Account = s.work.touched[i-1].slot + 1
	}
}

func (s *State) evaluateKind(op *Operation, m *member, res *Result) {
	switch op.Kind {
	case KindCredit, KindDebit, KindTransfer:
		s.evaluateMovement(op, m, res)
	case KindCreateLedger:
		s.evaluateCreateLedger(op, res)
	case KindCreateAccount:
		s.evaluateCreateAccount(op, m, res)
	case KindSetLimits, KindSetFrozen, KindCloseAccount, KindSetVelocity, KindSetLowBalance, KindSetTopUp:
		s.evaluateChange(op, m, res)
	case KindUpTo:
		s.evaluateUpTo(op, m, res)
	case KindReverse:
		s.evaluateReverse(op, res)
	case KindHold:
		s.evaluateHold(op, m, res)
	case KindCapture, KindVoid, KindExtend:
		s.evaluateHoldChange(op, m, res)
	case KindLeaseTopUp, KindSettleTopUp:
		s.evaluateTopUp(op, res)
	}
}

// movement is what an amount moves between: places in touched.
type movement struct {
	debit, credit int
	side          Side // of the account that available is told of
}

func (s *State) evaluateMovement(op *Operation, m *member, res *Result) {
	mv, ok := s.resolveMovement(op, m, res)
	if !ok {
		return
	}
	d, c := &s.work.touched[mv.debit].account, &s.work.touched[mv.credit].account
	if s.versionHolds(op, mv, res) && mayPass(d, c, res) {
		s.move(op, res, EntryKind(op.Kind), mv, op.Amount)
	}
}

// move moves an amount, unless a limit of one of the accounts refuses it.
func (s *State) move(op *Operation, res *Result, kind EntryKind, mv movement, amount int64) bool {
	t, c := &s.work.touched[mv.debit], &s.work.touched[mv.credit].account
	d := &t.account
	if !mayMove(amount, d, c, res) || !s.spend(t, amount, res) {
		return false
	}
	_, ok1 := sub(d.posted, amount)
	_, ok2 := add(c.posted, amount)
	if !ok1 || !ok2 {
		refuse(res, CodeOverflow, overflowSide(d, c, ok1))
		res.Asked = amount
		return false
	}
	s.post(op, res, kind, mv, amount, 0)
	return true
}

// versionHolds checks the condition on the version of the account that the caller named.
func (s *State) versionHolds(op *Operation, mv movement, res *Result) bool {
	if op.IfVersion == 0 {
		return true
	}
	if mv.side == SideCredit {
		return versionIs(op, &s.work.touched[mv.credit].account, res, SideCredit)
	}
	return versionIs(op, &s.work.touched[mv.debit].account, res, SideDebit)
}

func versionIs(op *Operation, a *account, res *Result, side Side) bool {
	if op.IfVersion == 0 || op.IfVersion == a.version {
		return true
	}
	refuse(res, CodeVersionMismatch, side)
	res.Version = a.version
	return false
}

// post moves an amount that may be moved, and accepts the operation.
func (s *State) post(op *Operation, res *Result, kind EntryKind, mv movement, amount int64, detail int) {
	d, c := &s.work.touched[mv.debit].account, &s.work.touched[mv.credit].account
	d.posted, c.posted = d.posted-amount, c.posted+amount
	s.accept(op, res, effect{
		kind: kind, hasDebit: true, hasCredit: true, amount: amount, detail: detail,
		debit: s.work.touched[mv.debit].slot, credit: s.work.touched[mv.credit].slot,
		prevDebit: d.last, prevCredit: c.last, debitPosted: d.posted, creditPosted: c.posted,
	}, d, c)
	res.DebitPosted, res.CreditPosted = d.posted, c.posted
	if mv.side == SideDebit {
		res.Available = d.available()
	} else {
		res.Available = c.available()
	}
}

// resolveMovement opens both accounts; the one that is not named is the ledger's own.
func (s *State) resolveMovement(op *Operation, m *member, res *Result) (mv movement, ok bool) {
	debit, credit := len(op.Debit) > 0, len(op.Credit) > 0
	if debit {
		if mv.debit, ok = s.resolve(op.Debit, &m.debit); !ok {
			refuse(res, CodeUnknownAccount, SideDebit)
			return mv, false
		}
		mv.side, s.work.sides[SideDebit] = SideDebit, mv.debit+1
	}
	if credit {
		if mv.credit, ok = s.resolve(op.Credit, &m.credit); !ok {
			refuse(res, CodeUnknownAccount, SideCredit)
			return mv, false
		}
		s.work.sides[SideCredit] = mv.credit + 1
	}
	switch t := s.work.touched; {
	case !debit:
		mv.side = SideCredit
		credits, _ := s.systemAccounts(t[mv.credit].ledger)
		mv.debit = s.open(credits)
	case !credit:
		_, debits := s.systemAccounts(t[mv.debit].ledger)
		mv.credit = s.open(debits)
	default:
		if t[mv.debit].ledger != t[mv.credit].ledger {
			refuse(res, CodeLedgerMismatch, SideCredit)
			return mv, false
		}
	}
	return mv, true
}

// mayPass checks that both accounts take part in movements at all.
func mayPass(d, c *account, res *Result) bool {
	switch {
	case d.flags&flagClosed != 0:
		refuse(res, CodeAccountClosed, SideDebit)
	case c.flags&flagClosed != 0:
		refuse(res, CodeAccountClosed, SideCredit)
	case d.flags&flagFrozen != 0:
		refuse(res, CodeAccountFrozen, SideDebit)
	case c.flags&flagFrozenCredits != 0:
		refuse(res, CodeAccountFrozen, SideCredit)
	default:
		return true
	}
	return false
}

// mayMove checks floor and ceiling.
func mayMove(amount int64, d, c *account, res *Result) bool {
	switch {
	case d.flags&flagSystem == 0 && amount > d.available():
		refuse(res, CodeInsufficientFunds, SideDebit)
		res.Asked, res.Available = amount, d.available()
	case c.flags&flagCeiling != 0 && amount > less(c.ceiling, c.posted):
		refuse(res, CodeCeilingExceeded, SideCredit)
		res.Asked, res.Available = amount, less(c.ceiling, c.posted)
	default:
		return true
	}
	return false
}

// overflowSide is the account whose balance would leave the range; none if that is the ledger's own.
func overflowSide(d, c *account, debitFits bool) Side {
	switch {
	case !debitFits && d.flags&flagSystem == 0:
		return SideDebit
	case debitFits && c.flags&flagSystem == 0:
		return SideCredit
	}
	return SideNone
}

// accept gives the effect its sequence number and the changed accounts theirs.
func (s *State) accept(op *Operation, res *Result, e effect, changed ...*account) {
	w := &s.work
	e.op = op
	w.effects = append(w.effects, e)
	res.Code, res.Sequence = CodeApplied, s.meta.sequence+uint64(len(w.effects))
	for _, a := range changed {
		a.version++
		a.last = res.Sequence
	}
}

func (s *State) evaluateCreateLedger(op *Operation, res *Result) {
	w := &s.work
	slot := s.ledgers.Len() + uint64(len(w.newLedgers))
	if _, exists := s.ledgerNamed(op.Ledger); exists {
		refuse(res, CodeLedgerExists, SideNone)
		return
	}
	if slot >= maxLedgers || w.nextAccount+2 > maxAccounts {
		refuse(res, CodeLimitReached, SideNone)
		return
	}
	own := account{floor: math.MinInt64, ledger: uint32(slot), flags: flagSystem}
	l := newLedger{slot: uint32(slot), ledger: ledger{scale: op.Scale, name: op.Ledger, asset: op.Asset}}
	credits := w.create(own, systemID(op.Ledger, "/credits"))
	debits := w.create(own, systemID(op.Ledger, "/debits"))
	l.credits, l.debits = w.touched[credits].slot, w.touched[debits].slot
	w.newLedgers = append(w.newLedgers, l)
	s.accept(op, res, effect{kind: EntryLedgerCreated, hasCredit: true, credit: l.credits},
		&w.touched[credits].account, &w.touched[debits].account)
	w.touched[debits].last = 0 // the entry names one of the two: the other's statement begins with its first movement
}

// systemID is the id of one of a ledger's own accounts.
func systemID(name []byte, suffix string) []byte {
	id := append(make([]byte, 0, MaxAccountLen), systemPrefix)
	return append(append(id, name...), suffix...)
}

func (s *State) evaluateCreateAccount(op *Operation, m *member, res *Result) {
	w := &s.work
	l, ok := s.ledgerNamed(op.Ledger)
	if !ok {
		refuse(res, CodeUnknownLedger, SideNone)
		return
	}
	if i, exists := s.resolve(op.Credit, &m.credit); exists {
		w.sides[SideCredit] = i + 1
		refuse(res, CodeAccountExists, SideCredit)
		return
	}
	if w.nextAccount >= maxAccounts {
		refuse(res, CodeLimitReached, SideNone)
		return
	}
	a := account{floor: op.Floor, ledger: l}
	if op.HasCeiling {
		a.ceiling, a.flags = op.Ceiling, flagCeiling
	}
	s.acceptChange(op, res, EntryAccountCreated, w.create(a, op.Credit))
}

// evaluateChange decides operations on one account without an amount.
func (s *State) evaluateChange(op *Operation, m *member, res *Result) {
	i, ok := s.resolve(op.Credit, &m.credit)
	if !ok {
		refuse(res, CodeUnknownAccount, SideCredit)
		return
	}
	s.work.sides[SideCredit] = i + 1
	a := &s.work.touched[i].account
	if !versionIs(op, a, res, SideCredit) {
		return
	}
	if a.flags&flagClosed != 0 {
		refuse(res, CodeAccountClosed, SideCredit)
		return
	}
	switch op.Kind {
	case KindSetLimits:
		if !setLimits(a, op, res) {
			return
		}
		s.acceptChange(op, res, EntryLimitsSet, i)
	case KindSetFrozen:
		a.flags &^= flagFrozen | flagFrozenCredits
		if op.Frozen {
			a.flags |= flagFrozen
		}
		if op.FrozenCredits {
			a.flags |= flagFrozenCredits
		}
		s.acceptChange(op, res, EntryFrozenSet, i)
	case KindSetVelocity:
		s.setVelocity(&s.work.touched[i], &op.Caps)
		s.acceptChange(op, res, EntryVelocitySet, i)
	case KindSetLowBalance:
		s.setLow(&s.work.touched[i], op.Amount)
		s.acceptChange(op, res, EntryLowBalanceSet, i)
	case KindSetTopUp:
		s.setTopUpPolicy(op, m, i, res)
	case KindCloseAccount:
		switch {
		case a.posted != 0 || a.held != 0:
			refuse(res, CodeNotEmpty, SideCredit)
			return
		case s.topUpOpen(s.work.touched[i].slot):
			refuse(res, CodeTopUpOpen, SideCredit)
			return
		}
		s.dropPolicy(i)
		a.flags |= flagClosed
		s.acceptChange(op, res, EntryAccountClosed, i)
	}
}

// setLimits changes the limits that are present, unless the account is beyond one of them now.
func setLimits(a *account, op *Operation, res *Result) bool {
	free := less(a.posted, a.held)
	switch {
	case op.HasFloor && free < op.Floor:
		refuse(res, CodeInsufficientFunds, SideCredit)
		res.Asked, res.Available = op.Floor, free
		return false
	case op.HasCeiling && a.posted > op.Ceiling:
		refuse(res, CodeCeilingExceeded, SideCredit)
		res.Asked, res.Available = op.Ceiling, less(op.Ceiling, a.posted)
		return false
	}
	if op.HasFloor {
		a.floor = op.Floor
	}
	switch {
	case op.NoCeiling:
		a.ceiling, a.flags = 0, a.flags&^flagCeiling
	case op.HasCeiling:
		a.ceiling, a.flags = op.Ceiling, a.flags|flagCeiling
	}
	return true
}

// acceptChange accepts an operation on one account.
func (s *State) acceptChange(op *Operation, res *Result, kind EntryKind, i int) {
	t := &s.work.touched[i]
	s.accept(op, res, effect{
		kind: kind, hasCredit: true, credit: t.slot, prevCredit: t.last, creditPosted: t.posted, after: t.account,
	}, &t.account)
	res.CreditPosted, res.Available = t.posted, t.available()
}
