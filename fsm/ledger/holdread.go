package ledger

// Hold is a hold as it is read.
type Hold struct {
	// ID is that of the operation that made it.
	ID, Account string
	Ledger      string
	Scale       uint8 // decimal places of the amounts below
	State       HoldState
	// Minor units: Amount when it was made, Captured so far, Remaining held now. What is neither was given back.
	Amount, Captured, Remaining int64
	InParts                     bool
	// Log times, Unix nanoseconds. Ended is 0 while it is open.
	Created, Expires, Ended int64
	// Sequences of the entry that made it and of its newest one.
	FirstSequence, LastSequence uint64
}

// Hold reads a hold by id. False: there is none, or it ended before the horizon.
func (s *State) Hold(id []byte) (Hold, bool) {
	slot, ok := s.holds.find(id, s.meta.horizon)
	if !ok {
		return Hold{}, false
	}
	return s.holdAt(slot), true
}

func (s *State) holdAt(slot uint32) Hold {
	rec := s.holds.table.Get(uint64(slot))
	h := decodeHold(rec)
	a, _ := s.AccountBySlot(h.account)
	return Hold{
		ID: string(holdID(rec)), Account: a.ID, Ledger: a.Ledger, Scale: a.Scale, State: h.state,
		Amount: h.amount, Captured: h.captured, Remaining: h.remaining, InParts: h.parts,
		Created: h.created, Expires: h.expires, Ended: h.ended, FirstSequence: h.first, LastSequence: h.last,
	}
}

// HoldCursor says where a list of holds goes on. The zero value is the start.
type HoldCursor struct {
	Before uint64 // holds whose first entry is below
	Slot   uint32 // of the hold at which the walk stopped
}

// Holds lists the open holds of an account, newest first, up to limit (1 or more). False: there is no such account. next
// is zero at the end of the list; else the list goes on there, and there may be fewer holds than the limit: the call has
// looked at enough for one hold of the lock.
func (s *State) Holds(account []byte, from HoldCursor, limit int) (holds []Hold, next HoldCursor, ok bool) {
	slot, ok := s.find(account)
	if !ok {
		return nil, next, false
	}
	at := s.holds.newest[slot]
	if h, ok := s.openAt(from.Slot); ok && h.account == slot && h.first >= from.Before && from.Before > 0 {
		at = from.Slot + 1 // still there: the walk goes on from it
	}
	for scanned := 0; at != 0; scanned++ {
		here := at - 1
		h := decodeHold(s.holds.table.Get(uint64(here)))
		if from.Before == 0 || h.first < from.Before {
			if len(holds) == limit {
				return holds, next, true
			}
			holds = append(holds, s.holdAt(here))
			next = HoldCursor{Before: h.first, Slot: here}
		} else if scanned == scanMax {
			return holds, HoldCursor{Before: from.Before, Slot: here}, true
		}
		at = s.holds.places[here].older
	}
	return holds, HoldCursor{}, true
}

// openAt is the hold at a slot that a cursor names, if it is an open one.
func (s *State) openAt(slot uint32) (h hold, ok bool) {
	if uint64(slot) >= s.holds.table.Len() {
		return h, false
	}
	h = decodeHold(s.holds.table.Get(uint64(slot)))
	return h, h.state == HoldOpen
}

// OpenHolds is the number of open holds.
func (s *State) OpenHolds() int { return len(s.holds.due.items) }
