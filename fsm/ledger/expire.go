package ledger

// expiresPerCall bounds the holds that one call expires; the next one goes on. A hold whose time has come is expired for
// every operation from then on, but what it holds is available again only after its turn.
const expiresPerCall = 1000

// expire ends the holds whose time has come, the earliest first, before the operations of the call.
func (s *State) expire(out *Output) {
	for range expiresPerCall {
		k, ok := s.holds.due.first()
		if !ok || k.key > s.meta.logTime {
			return
		}
		s.expireHold(k.slot, out)
	}
}

// expireHold is a unit of its own. Nobody asked for it: its entry carries the id of the operation that made the hold.
func (s *State) expireHold(slot uint32, out *Output) {
	w := &s.work
	w.start(s, nil, nil)
	h := w.openHoldAt(s, slot)
	a := s.open(w.holds[h].account)
	w.expired = Operation{ID: w.holds[h].id}
	released := s.endHold(&w.holds[h], HoldExpired, &w.touched[a])
	var res Result
	s.acceptHold(&w.expired, &res, EntryHoldExpired, a, h, released)
	s.commitEffects(out)
}

// NextDue is the log time at which something happens by itself, Unix nanoseconds: a hold expires, or an account may get a
// top-up; false: nothing will. What is due already happens with the next call of Apply.
func (s *State) NextDue() (at int64, ok bool) {
	for _, h := range []*slotHeap{&s.holds.due, &s.policies.looks} {
		if k, has := h.first(); has && (!ok || k.key < at) {
			at, ok = k.key, true
		}
	}
	return at, ok
}
