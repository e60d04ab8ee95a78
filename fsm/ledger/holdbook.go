package ledger

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/ballastdb/ballast/fsm/page"
)

// holdBook is the table of holds and what is derived from it.
//
// A hold's record is free, open or ended. Ended ones are remembered as long as ids of operations are, up to the state's
// horizon; then the record is freed, and the lowest free one is used again. What is derived depends on the records alone:
// a state that was reloaded picks the same slots, and expires in the same order, as one that was not.
type holdBook struct {
	table *page.Table
	byID  *page.Index // records that are not free

	due    slotHeap // open holds by expiry
	free   slotHeap // free records by slot
	ended  []uint32 // in the order of their ends, to be forgotten
	places []holdPlace
	newest map[uint32]uint32 // by slot of account: its newest open hold, +1
}

// holdPlace is where an open hold is in what is derived: in the heap, and in its account's list, by slot + 1, 0: none.
type holdPlace struct {
	due          uint32
	older, newer uint32
}

func (b *holdBook) forgetDerived() {
	b.byID, b.newest = page.NewIndex(), map[uint32]uint32{}
	b.due, b.free, b.ended, b.places = slotHeap{}, slotHeap{}, nil, nil
	b.due.moved = func(slot uint32, at int) { b.places[slot].due = uint32(at + 1) }
}

// find is the slot of the hold with this id. One that ended before the horizon is forgotten, freed or not.
func (b *holdBook) find(id []byte, horizon int64) (slot uint32, ok bool) {
	found, ok := b.byID.Find(b.byID.Hash(id), func(locator uint64) bool {
		rec := b.table.Get(locator)
		return bytes.Equal(holdID(rec), id) && (HoldState(rec[offHoldState]) == HoldOpen || i64(rec[48:]) >= horizon)
	})
	return uint32(found), ok
}

// nextFree is the record that a new hold gets: a free one, or one more. It is begun.
func (b *holdBook) nextFree(index uint64) (slot uint32, rec []byte) {
	if k, ok := b.free.first(); ok {
		b.free.remove(0)
		return k.slot, b.table.Begin(uint64(k.slot))
	}
	at, rec := b.table.Append(index)
	return uint32(at), rec
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

// freesPerCall bounds the forgotten holds that one call frees.
const freesPerCall = 1000

// forget frees records of holds that ended before the horizon.
func (b *holdBook) forget(index uint64, horizon int64) {
	n := 0
	for ; n < len(b.ended) && n < freesPerCall; n++ {
		slot := b.ended[n]
		rec := b.table.Get(uint64(slot))
		if i64(rec[48:]) >= horizon {
			break
		}
		b.byID.Delete(b.byID.Hash(holdID(rec)), uint64(slot))
		clear(b.table.Begin(uint64(slot))[8:])
		b.table.End(uint64(slot), index)
		b.free.push(keyed{int64(slot), slot})
	}
	b.ended = b.ended[n:]
}

// rebuild derives everything from the records.
func (b *holdBook) rebuild(accounts uint64, pause *pacer) error {
	type at struct {
		sequence uint64
		slot     uint32
	}
	var open, ended []at
	for slot := range b.table.Len() {
		if err := pause.next(); err != nil {
			return err
		}
		rec := b.table.Get(slot)
		if rec[offHoldState] == 0 {
			b.free.push(keyed{int64(slot), uint32(slot)})
			continue
		}
		h := decodeHold(rec)
		if rec[78] == 0 || rec[78] > MaxIDLen || uint64(h.account) >= accounts {
			return stateError("hold %d has an id of %d bytes and is of account %d, there are %d", slot, rec[78], h.account, accounts)
		}
		if problem := h.problem(); problem != "" {
			return stateError("hold %q: %s", holdID(rec), problem)
		}
		b.byID.Insert(b.byID.Hash(holdID(rec)), slot)
		if h.state == HoldOpen {
			open = append(open, at{h.first, uint32(slot)})
		} else {
			ended = append(ended, at{h.last, uint32(slot)})
		}
	}
	bySequence := func(a, b at) int { return cmp.Compare(a.sequence, b.sequence) }
	slices.SortFunc(open, bySequence)
	slices.SortFunc(ended, bySequence)
	for _, o := range open {
		h := decodeHold(b.table.Get(uint64(o.slot)))
		b.opened(o.slot, &h)
	}
	for _, e := range ended {
		b.ended = append(b.ended, e.slot)
	}
	return nil
}
