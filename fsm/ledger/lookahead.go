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
// would be most of the time. It changes nothing, and what it finds is only likely: accounts made by the call itself are
// not there yet.
func (s *State) lookAhead(until int) {
	w := &s.work
	for w.seen < until {
		from, to := w.seen, min(w.seen+aheadWindow, len(w.call))
		members := w.all[from:to]
		s.hashAhead(w.call[from:to], members)
		w.loaded ^= s.loadIndexes(members)
		s.findAhead(members)
		w.loaded ^= s.loadAccounts(members)
		w.seen = to
	}
}

// hashAhead computes keys and hashes.
func (s *State) hashAhead(ops []Operation, members []member) {
	for i := range members {
		m, op := &members[i], &ops[i]
		m.key = keyOf(op.ID)
		m.hash = s.byKey.Hash(m.key.b[:])
		m.debit, m.credit = lookup{}, lookup{}
		if len(op.Debit) > 0 {
			m.debit.hash = s.byID.Hash(op.Debit)
		}
		if len(op.Credit) > 0 {
			m.credit.hash = s.byID.Hash(op.Credit)
		}
	}
}

// places collects what is to be loaded. A core looks only a few hundred instructions beyond the first load that it waits for:
// finding out where to load takes a dozen, so that is done first, and then nothing but loads.
type places[T byte | uint64] struct {
	at [4 * aheadWindow]*T
	n  int
}

func (p *places[T]) add(at *T) {
	p.at[p.n] = at
	p.n++
}

// load answers something that depends on all of them, or the compiler would leave the loads out.
func (p *places[T]) load() (loaded uint64) {
	for _, at := range p.at[:p.n] {
		loaded ^= uint64(*at)
	}
	return loaded
}

// loadIndexes loads the places of the indexes.
func (s *State) loadIndexes(members []member) uint64 {
	var p places[uint64]
	refused := s.byRefusedKey.Len() > 0
	for i := range members {
		m := &members[i]
		p.add(s.byKey.Home(m.hash))
		p.add(s.byID.Home(m.debit.hash))
		p.add(s.byID.Home(m.credit.hash))
		if refused {
			p.add(s.byRefusedKey.Home(m.hash))
		}
	}
	return p.load() ^ s.loadOldest(len(members))
}

// loadOldest loads what n operations forget to make room: their records lie one after another, their places in the
// index do not.
func (s *State) loadOldest(n int) uint64 {
	q := &s.done
	if q.Len()+uint64(n) <= q.max && (q.Len() == 0 || !s.forgotten(q.Get(q.Head()))) {
		return 0
	}
	var p places[uint64]
	for pos := q.Head(); pos < min(q.Head()+uint64(n), q.Tail()); pos++ {
		p.add(q.index.Home(q.index.Hash(record(q.Get(pos)).key())))
	}
	return p.load()
}

// findAhead finds where the accounts likely are.
func (s *State) findAhead(members []member) {
	for i := range members {
		m := &members[i]
		m.debit.slot, m.debit.likely = s.byID.First(m.debit.hash)
		m.credit.slot, m.credit.likely = s.byID.First(m.credit.hash)
	}
}

// loadAccounts loads both lines of the accounts' records.
func (s *State) loadAccounts(members []member) uint64 {
	var p places[byte]
	for i := range members {
		m := &members[i]
		if m.debit.likely {
			s.addAccount(&p, m.debit.slot)
		}
		if m.credit.likely {
			s.addAccount(&p, m.credit.slot)
		}
	}
	return p.load()
}

func (s *State) addAccount(p *places[byte], slot uint64) {
	rec := s.accounts.Get(slot)
	p.add(&rec[0])
	p.add(&rec[accountBytes/2])
}
