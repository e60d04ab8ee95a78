package ledger

import "bytes"

// work is the scratch space of Apply, reused so that the usual operation allocates nothing. It holds one unit at a
// time: an operation alone or an atomic group, evaluated on copies of the accounts that it touches and written back
// only when all of it is accepted.
type work struct {
	ops     []Operation
	members []member    // of the unit
	call    []Operation // all of it
	all     []member    // of the call
	seen    int         // how many of them lookAhead has looked up
	loaded  uint64      // so that the compiler keeps the loads of lookAhead
	buf     []byte

	cellOf   uint16
	cellDone bool

	// sides are the places in touched, + 1, of the accounts that the operation being evaluated has on each Side; on SideNone that
	// of the hold, the top-up or the entry that it is about. 0: none.
	sides [3]int

	touched      []touch
	bySlot       map[uint32]int // index in touched, once there are more than fewTouched
	opened       []int          // indexes in touched of accounts that this unit creates
	newLedgers   []newLedger
	effects      []effect
	holds        []holdDraft
	holdEntries  []holdEntry
	velocities   []velocityDraft
	reversals    []reversal
	lows         []lowDraft
	topUps       []topUpDraft
	topUpEntries []topUpEntry
	policies     []policyDraft
	expired      Operation // what the entry of an expired hold is made of
	nextAccount  uint64    // slot
}

// touch is the copy of an account that a unit works on.
type touch struct {
	account
	slot    uint32
	created bool
	id      []byte // of a created account
}

// newLedger is a ledger that the unit creates.
type newLedger struct {
	ledger
	slot uint32
}

// fewTouched accounts are searched one by one.
const fewTouched = 8

func (w *work) start(s *State, ops []Operation, members []member) {
	w.ops, w.members, w.cellDone = ops, members, false
	w.rollBack(s)
}

// rollBack drops what the unit has done so far.
func (w *work) rollBack(s *State) {
	if len(w.touched) > fewTouched {
		clear(w.bySlot)
	}
	w.touched, w.opened, w.newLedgers, w.effects = w.touched[:0], w.opened[:0], w.newLedgers[:0], w.effects[:0]
	w.holds, w.holdEntries = w.holds[:0], w.holdEntries[:0]
	w.velocities, w.reversals, w.lows = w.velocities[:0], w.reversals[:0], w.lows[:0]
	w.topUps, w.topUpEntries, w.policies = w.topUps[:0], w.topUpEntries[:0], w.policies[:0]
	w.nextAccount = s.accounts.Len()
}

// cell is the cell that the unit's refusals belong to: all members share the first one's, so that they are forgotten
// together.
func (w *work) cell() uint16 {
	if !w.cellDone {
		w.cellOf, w.cellDone = cellOf(&w.ops[0]), true
	}
	return w.cellOf
}

// open returns the place in touched of the account at slot. A later open may move what touched points to.
func (s *State) open(slot uint32) int {
	w := &s.work
	if len(w.touched) > fewTouched {
		if i, ok := w.bySlot[slot]; ok {
			return i
		}
	} else {
		for i := range w.touched {
			if w.touched[i].slot == slot {
				return i
			}
		}
	}
	return w.add(touch{account: decodeAccount(s.accounts.Get(uint64(slot))), slot: slot})
}

func (w *work) add(t touch) int {
	w.touched = append(w.touched, t)
	switch n := len(w.touched); {
	case n == fewTouched+1:
		if w.bySlot == nil {
			w.bySlot = map[uint32]int{}
		}
		for i := range w.touched {
			w.bySlot[w.touched[i].slot] = i
		}
	case n > fewTouched:
		w.bySlot[t.slot] = n - 1
	}
	return len(w.touched) - 1
}

// create adds an account that does not exist yet.
func (w *work) create(a account, id []byte) int {
	i := w.add(touch{account: a, slot: uint32(w.nextAccount), created: true, id: id})
	w.nextAccount++
	w.opened = append(w.opened, i)
	return i
}

// resolve opens the account of this id, one that the unit creates included.
func (s *State) resolve(id []byte, l *lookup) (int, bool) {
	if slot, ok := s.findAt(id, l); ok {
		return s.open(slot), true
	}
	for _, i := range s.work.opened {
		if bytes.Equal(s.work.touched[i].id, id) {
			return i, true
		}
	}
	return 0, false
}

// find looks an account up by id.
func (s *State) find(id []byte) (slot uint32, ok bool) {
	return s.findAt(id, &lookup{hash: s.byID.Hash(id)})
}

func (s *State) findAt(id []byte, l *lookup) (slot uint32, ok bool) {
	if l.likely && bytes.Equal(s.idAt(uint32(l.slot)), id) {
		return uint32(l.slot), true
	}
	found, ok := s.byID.Find(l.hash, func(locator uint64) bool { return bytes.Equal(s.idAt(uint32(locator)), id) })
	return uint32(found), ok
}

// ledgerNamed looks a ledger up by name, one that the unit creates included.
func (s *State) ledgerNamed(name []byte) (slot uint32, ok bool) {
	if slot, ok := s.ledgerSlots[string(name)]; ok {
		return slot, true
	}
	for i := range s.work.newLedgers {
		if n := &s.work.newLedgers[i]; bytes.Equal(n.name, name) {
			return n.slot, true
		}
	}
	return 0, false
}

// systemAccounts are the slots of a ledger's two accounts of its own.
func (s *State) systemAccounts(slot uint32) (credits, debits uint32) {
	if n := uint64(slot); n >= s.ledgers.Len() {
		l := &s.work.newLedgers[n-s.ledgers.Len()]
		return l.credits, l.debits
	}
	rec := s.ledgers.Get(uint64(slot))
	return le.Uint32(rec[8:]), le.Uint32(rec[12:])
}
