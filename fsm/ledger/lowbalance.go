package ledger

import "github.com/ballastdb/ballast/fsm/page"

// lowBook is the table of low-balance thresholds. An account has a record from the first time that it has a threshold, for
// ever. Record, lowBytes long: index 8 | threshold 8, 0: none | slot of the account 4 | 0.
//
// Whether an account is low is not stored: it is what its record says against its threshold. That it has become low is told by
// an entry in the unit that lowers it, so that whoever follows the entries needs to ask nobody.
type lowBook struct {
	table  *page.Table
	byUser *page.Index // by slot of the account
}

// lowDraft is a threshold that the unit sets.
type lowDraft struct {
	account   uint32
	threshold int64
}

func keyOfSlot(slot uint32) (b [4]byte) {
	le.PutUint32(b[:], slot)
	return b
}

// find is the record of an account.
func (b *lowBook) find(account uint32) (slot uint64, ok bool) {
	key := keyOfSlot(account)
	return b.byUser.Find(b.byUser.Hash(key[:]), func(locator uint64) bool {
		return le.Uint32(b.table.Get(locator)[16:]) == account
	})
}

// threshold is that of an account; 0: it has none.
func (b *lowBook) threshold(account uint32) int64 {
	slot, ok := b.find(account)
	if !ok {
		return 0
	}
	return i64(b.table.Get(slot)[8:])
}

// setLow gives an account a threshold, 0: none.
func (s *State) setLow(t *touch, threshold int64) {
	w := &s.work
	t.flags &^= flagLowBalance
	if threshold != 0 {
		t.flags |= flagLowBalance
	}
	for i := range w.lows {
		if w.lows[i].account == t.slot {
			w.lows[i].threshold = threshold
			return
		}
	}
	w.lows = append(w.lows, lowDraft{t.slot, threshold})
}

// thresholdNow is an account's threshold at the end of the unit, and whether the unit set it.
func (s *State) thresholdNow(account uint32) (threshold int64, set bool) {
	for i := range s.work.lows {
		if s.work.lows[i].account == account {
			return s.work.lows[i].threshold, true
		}
	}
	return s.low.threshold(account), false
}

// noticeLows looks at each account that the unit touched.
func (s *State) noticeLows() {
	for i := range s.work.touched {
		if t := &s.work.touched[i]; t.flags&flagLowBalance != 0 {
			s.noticeLow(t)
		}
	}
}

// noticeLow adds an entry to the unit where it leaves an account below its threshold that was not, or that it set. What
// happens within the unit does not count. The entry is one more of the account's statement; it is no change of the
// account, so the version stays.
func (s *State) noticeLow(t *touch) {
	w := &s.work
	if t.last <= s.meta.sequence { // the unit did not change it
		return
	}
	threshold, set := s.thresholdNow(t.slot)
	if t.available() >= threshold {
		return
	}
	if !set {
		before := decodeAccount(s.accounts.Get(uint64(t.slot)))
		if before.available() < threshold {
			return
		}
	}
	by := w.effects[t.last-s.meta.sequence-1].op // the last one that changed it
	w.effects = append(w.effects, effect{
		op: by, kind: EntryLowBalance, hasCredit: true, credit: t.slot, prevCredit: t.last, creditPosted: t.posted, after: t.account,
	})
	t.last = s.meta.sequence + uint64(len(w.effects))
}

func (s *State) commitLows() {
	b := &s.low
	for _, d := range s.work.lows {
		slot, ok := b.find(d.account)
		var rec []byte
		if ok {
			rec = b.table.Begin(slot)
		} else {
			slot, rec = b.table.Append(s.index)
			le.PutUint32(rec[16:], d.account)
			key := keyOfSlot(d.account)
			b.byUser.Insert(b.byUser.Hash(key[:]), slot)
		}
		putI64(rec[8:], d.threshold)
		b.table.End(slot, s.index)
	}
}

func (s *State) rebuildLows(pause *pacer) error {
	b := &s.low
	for slot := range b.table.Len() {
		if err := pause.next(); err != nil {
			return err
		}
		rec := b.table.Get(slot)
		account, threshold := le.Uint32(rec[16:]), i64(rec[8:])
		if _, twice := b.find(account); twice || uint64(account) >= s.accounts.Len() || threshold < 0 {
			return stateError("low balance %d is a threshold of %d of account %d, there are %d, and each has one at most",
				slot, threshold, account, s.accounts.Len())
		}
		key := keyOfSlot(account)
		b.byUser.Insert(b.byUser.Hash(key[:]), slot)
	}
	return nil
}
