package ledger

// holdBook is the table of holds and what is derived from it, so that a reloaded state expires in the same order as one that
// was not.
type holdBook struct {
	lifeBook

	due    slotHeap // open holds by expiry
	places []holdPlace
	newest map[uint32]uint32 // by slot of account: its newest open hold, +1
}

// holdPlace is where an open hold is in what is derived: in the heap, and in its account's list, by slot + 1, 0: none.
type holdPlace struct {
	due          uint32
	older, newer uint32
}

func (b *holdBook) forgetDerived() {
	b.lifeBook.forgetDerived()
	b.idOf, b.newest = holdID, map[uint32]uint32{}
	b.due, b.places = slotHeap{}, nil
	b.due.moved = func(slot uint32, at int) { b.places[slot].due = uint32(at + 1) }
}

// opened puts an open hold, the newest of its account, into what is derived.
func (b *holdBook) opened(slot uint32, h *hold) {
	for uint64(len(b.places)) < b.table.Len() {
		b.places = append(b.places, holdPlace{})
	}
	before := b.newest[h.account]
	b.places[slot] = holdPlace{older: before}
	if before != 0 {
		b.places[before-1].newer = slot + 1
	}
	b.newest[h.account] = slot + 1
	b.due.push(keyed{h.expires, slot})
}

// moved puts an open hold where its new expiry belongs.
func (b *holdBook) moved(slot uint32, expires int64) {
	b.due.fix(int(b.places[slot].due-1), keyed{expires, slot})
}

// closed takes a hold that has ended out of what is there for open ones.
func (b *holdBook) closed(slot uint32, account uint32) {
	p := b.places[slot]
	b.due.remove(int(p.due - 1))
	if p.older != 0 {
		b.places[p.older-1].newer = p.newer
	}
	switch {
	case p.newer != 0:
		b.places[p.newer-1].older = p.older
	case p.older != 0:
		b.newest[account] = p.older
	default:
		delete(b.newest, account)
	}
	b.places[slot] = holdPlace{}
	b.ended = append(b.ended, slot)
}

// rebuild derives everything from the records.
func (b *holdBook) rebuild(accounts uint64, pause *pacer) error {
	open, err := b.lifeBook.rebuild(pause, func(slot uint32, rec []byte) error {
		h := decodeHold(rec)
		if rec[78] == 0 || rec[78] > MaxIDLen || uint64(h.account) >= accounts {
			return stateError("hold %d has an id of %d bytes and is of account %d, there are %d", slot, rec[78], h.account, accounts)
		}
		if problem := h.problem(); problem != "" {
			return stateError("hold %q: %s", holdID(rec), problem)
		}
		return nil
	})
	for _, slot := range open {
		h := decodeHold(b.table.Get(uint64(slot)))
		b.opened(slot, &h)
	}
	return err
}
