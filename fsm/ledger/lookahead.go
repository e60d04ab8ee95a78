package ledger

// aheadWindow is how many operations are looked up before the first of them is applied: enough loads at once to keep
// memory busy, few enough that what was loaded is still in the core's cache when its turn comes.
const aheadWindow = 64

// lookup is what is known of an account's place before its operation's turn.
type lookup struct {
	hash   uint64 // in byID
	slot   uint64 // where likely: the first account whose hash looks like it
	likely bool
}

// expect begins a call with these operations.
func (s *State) expect(ops []Operation) {
	w := &s.work
	if cap(w.all) < len(ops) {
		w.all = make([]member, max(len(ops), 512))
	}
	w.call, w.all, w.seen = ops, w.all[:len(ops)], 0
}

// lookAhead looks up the call's operations up to until, a window at a time, in rounds that each load all that the next
// round needs: where each waits for memory, the waits overlap instead of adding up. With millions of accounts they
// would be most of the time. The rounds that load do next to nothing else, since a core looks only a few hundred
// instructions beyond the first load that it waits for. It changes nothing, and what it finds is only likely: accounts
// made by the call itself are not there yet.
func (s *State) lookAhead(until int) {
	w := &s.work
	for w.seen < until {
		from, to := w.seen, min(w.seen+aheadWindow, len(w.call))
		members := w.all[from:to]
		s.hashAhead(w.call[from:to], members)
		w.loaded = s.touchIndexes(members)
		s.findAhead(members)
		w.loaded ^= s.touchAccounts(members) ^ s.touchOldest(len(members))
		w.seen = to
	}
}

// hashAhead computes keys and hashes.
func (s *State) hashAhead(ops []Operation, members []member) {
	for i := range members {
		m, op := &members[i], &ops[i]
		m.key = keyOf(op.ID)
		m.hash, m.refusedHash = s.byKey.Hash(m.key.b[:]), s.byRefusedKey.Hash(m.key.b[:])
		m.debit, m.credit = lookup{}, lookup{}
		if len(op.Debit) > 0 {
			m.debit.hash = s.byID.Hash(op.Debit)
		}
		if len(op.Credit) > 0 {
			m.credit.hash = s.byID.Hash(op.Credit)
		}
	}
}

// touchIndexes loads the places of the indexes.
func (s *State) touchIndexes(members []member) (loaded uint64) {
	for i := range members {
		m := &members[i]
		loaded ^= s.byKey.Touch(m.hash) ^ s.byRefusedKey.Touch(m.refusedHash) ^ s.byID.Touch(m.debit.hash) ^ s.byID.Touch(m.credit.hash)
	}
	return loaded
}

// findAhead finds where the accounts likely are.
func (s *State) findAhead(members []member) {
	first := func(uint64) bool { return true }
	for i := range members {
		m := &members[i]
		m.debit.slot, m.debit.likely = s.byID.Find(m.debit.hash, first)
		m.credit.slot, m.credit.likely = s.byID.Find(m.credit.hash, first)
	}
}

// touchAccounts loads both lines of the accounts' records.
func (s *State) touchAccounts(members []member) (loaded uint64) {
	for i := range members {
		m := &members[i]
		if m.debit.likely {
			rec := s.accounts.Get(m.debit.slot)
			loaded ^= uint64(rec[0]) ^ uint64(rec[64])
		}
		if m.credit.likely {
			rec := s.accounts.Get(m.credit.slot)
			loaded ^= uint64(rec[0]) ^ uint64(rec[64])
		}
	}
	return loaded
}

// touchOldest loads what n operations forget to make room: their records lie one after another, their places in the
// index do not.
func (s *State) touchOldest(n int) (loaded uint64) {
	q := &s.done
	if q.Len()+uint64(n) <= q.max && (q.Len() == 0 || !s.forgotten(q.Get(q.Head()))) {
		return 0
	}
	for pos := q.Head(); pos < min(q.Head()+uint64(n), q.Tail()); pos++ {
		loaded ^= q.index.Touch(q.index.Hash(record(q.Get(pos)).key()))
	}
	return loaded
}
