package ledger

// lookup is what is known of an account's place before its operation's turn.
type lookup struct {
	hash   uint64 // in byID
	slot   uint64 // where likely: the first account whose hash looks like it
	likely bool
}

// lookAhead computes the members' keys and hashes and loads all that the operations of a call are going to look at, so
// that the waits for memory overlap instead of adding up: with millions of accounts they are most of the time. It
// changes nothing, and what it finds is only likely: accounts made by the call itself are not there yet.
func (s *State) lookAhead(ops []Operation) {
	w := &s.work
	if cap(w.all) < len(ops) {
		w.all = make([]member, max(len(ops), 512))
	}
	w.all = w.all[:len(ops)]
	loaded := uint64(0)
	for i := range ops {
		m := &w.all[i]
		m.key = keyOf(ops[i].ID)
		m.hash, m.refusedHash = s.byKey.Hash(m.key.b[:]), s.byRefusedKey.Hash(m.key.b[:])
		m.debit, m.credit = lookup{hash: s.byID.Hash(ops[i].Debit)}, lookup{hash: s.byID.Hash(ops[i].Credit)}
		loaded ^= s.byKey.Touch(m.hash) ^ s.byRefusedKey.Touch(m.refusedHash)
		if len(ops[i].Debit) > 0 {
			loaded ^= s.byID.Touch(m.debit.hash)
		}
		if len(ops[i].Credit) > 0 {
			loaded ^= s.byID.Touch(m.credit.hash)
		}
	}
	first := func(uint64) bool { return true }
	for i := range w.all {
		m := &w.all[i]
		m.debit.slot, m.debit.likely = s.byID.Find(m.debit.hash, first)
		m.credit.slot, m.credit.likely = s.byID.Find(m.credit.hash, first)
	}
	for i := range w.all {
		for _, l := range [...]*lookup{&w.all[i].debit, &w.all[i].credit} {
			if l.likely {
				rec := s.accounts.Get(l.slot)
				loaded ^= uint64(rec[0]) ^ uint64(rec[64])
			}
		}
	}
	w.loaded = loaded
}
