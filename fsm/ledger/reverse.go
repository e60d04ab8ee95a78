package ledger

import "github.com/ballastdb/ballast/fsm/page"

// Original is what an entry that is to be reversed moved. The state keeps no entries: who proposes a reversal looks it up in
// the journal, where an entry never changes, and it travels in the log with the operation. It is no part of the payload,
// since the entry's number says as much. The zero value: there is no such entry.
type Original struct {
	Kind          EntryKind
	Debit, Credit uint32 // slots
	Amount        int64
}

// OriginalOf tells of an entry what a reversal of it needs.
func OriginalOf(e *Entry) Original { return Original{e.Kind, e.DebitSlot, e.CreditSlot, e.Amount} }

// reversible: entries of this kind can be reversed.
func (k EntryKind) reversible() bool {
	switch k {
	case EntryCredit, EntryDebit, EntryTransfer, EntryHoldCaptured, EntryUpTo, EntryTopUpSucceeded:
		return true
	}
	return false
}

// reversalBook is the table of reversals, one record for each entry that was reversed, for ever: an entry is reversed once,
// however long ago. Record: index 8 | reversed entry 8 | its reversal 8 | amount 8.
type reversalBook struct {
	table *page.Table
	byOf  *page.Index // by the entry that was reversed
}

type reversal struct {
	of, by uint64 // sequences
	amount int64
}

func keyOfEntry(sequence uint64) (b [8]byte) {
	le.PutUint64(b[:], sequence)
	return b
}

func (b *reversalBook) find(sequence uint64) (reversal, bool) {
	key := keyOfEntry(sequence)
	slot, ok := b.byOf.Find(b.byOf.Hash(key[:]), func(locator uint64) bool {
		return le.Uint64(b.table.Get(locator)[8:]) == sequence
	})
	if !ok {
		return reversal{}, false
	}
	rec := b.table.Get(slot)
	return reversal{le.Uint64(rec[8:]), le.Uint64(rec[16:]), i64(rec[24:])}, true
}

func (s *State) reversed(sequence uint64) bool {
	for i := range s.work.reversals {
		if s.work.reversals[i].of == sequence {
			return true
		}
	}
	_, ok := s.reversals.find(sequence)
	return ok
}

// Reversal tells by which entry an entry was reversed, and how much of it; 0: it was not.
func (s *State) Reversal(sequence uint64) (by uint64, amount int64) {
	r, _ := s.reversals.find(sequence)
	return r.by, r.amount
}

func (s *State) evaluateReverse(op *Operation, res *Result) {
	of, accounts := &op.Original, s.accounts.Len()
	switch {
	case of.Kind == 0 || op.Entry > s.meta.sequence || uint64(of.Debit) >= accounts || uint64(of.Credit) >= accounts:
		refuse(res, CodeUnknownEntry, SideNone)
		return
	case !of.Kind.reversible() || of.Debit == of.Credit || of.Amount <= 0:
		refuse(res, CodeNotReversible, SideNone)
		return
	case s.reversed(op.Entry):
		refuse(res, CodeAlreadyReversed, SideNone)
		return
	case s.reversals.table.Len()+uint64(len(s.work.reversals)) >= maxReversals:
		refuse(res, CodeLimitReached, SideNone)
		return
	}
	mv := movement{debit: s.open(of.Credit), side: SideDebit}
	mv.credit = s.open(of.Debit)
	d, c := &s.work.touched[mv.debit], &s.work.touched[mv.credit]
	if d.flags&flagSystem != 0 {
		mv.side = SideCredit
	}
	sides := &s.work.sides
	sides[SideDebit], sides[SideCredit] = mv.debit+1, mv.credit+1
	sides[SideNone] = sides[mv.side]
	amount := op.Amount
	if amount == 0 {
		amount = of.Amount
	}
	if !s.versionHolds(op, mv, res) || !mayPass(&d.account, &c.account, res) {
		return
	}
	if amount > of.Amount {
		refuse(res, CodeExceedsEntry, SideNone)
		res.Asked, res.Available = amount, of.Amount
		return
	}
	if !s.move(op, res, EntryReversal, mv, amount) {
		return
	}
	s.work.reversals = append(s.work.reversals, reversal{op.Entry, res.Sequence, amount})
	res.Amount, res.CreditPosted = amount, 0
}

func (s *State) commitReversals() {
	b := &s.reversals
	for _, r := range s.work.reversals {
		slot, rec := b.table.Append(s.index)
		le.PutUint64(rec[8:], r.of)
		le.PutUint64(rec[16:], r.by)
		putI64(rec[24:], r.amount)
		b.table.End(slot, s.index)
		key := keyOfEntry(r.of)
		b.byOf.Insert(b.byOf.Hash(key[:]), slot)
	}
}

func (s *State) rebuildReversals(pause *pacer) error {
	b := &s.reversals
	for slot := range b.table.Len() {
		if err := pause.next(); err != nil {
			return err
		}
		of := b.table.Get(slot)[8:16]
		if n := le.Uint64(of); n == 0 || n > s.meta.sequence {
			return stateError("reversal %d is of entry %d, there are %d", slot, n, s.meta.sequence)
		}
		b.byOf.Insert(b.byOf.Hash(of), slot)
	}
	return nil
}
