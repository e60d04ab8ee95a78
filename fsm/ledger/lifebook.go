package ledger

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/ballastdb/ballast/fsm/page"
)

// Where records that have a life keep what is told of it: holds and top-ups are free, open or ended.
const (
	offEnded     = 48 // log time of the end, 0 while it is open
	offFirst     = 56 // sequence of the entry that made it
	offLast      = 64 // of its newest entry
	offLifeState = 76 // 0: the record is free
)

// lifeBook is a table of such records. Ended ones are remembered as long as ids of operations are, up to the state's
// horizon; then the record is freed, and the lowest free one is used again. What is derived depends on the records alone:
// a state that was reloaded picks the same slots as one that was not.
type lifeBook struct {
	table *page.Table
	idOf  func(rec []byte) []byte

	byID  *page.Index // records that are not free
	free  slotHeap    // free records by slot
	ended []uint32    // in the order of their ends, to be forgotten
}

func (b *lifeBook) forgetDerived() { b.byID, b.free, b.ended = page.NewIndex(), slotHeap{}, nil }

// find is the slot of the record with this id. One that ended before the horizon is forgotten, freed or not.
func (b *lifeBook) find(id []byte, horizon int64) (slot uint32, ok bool) {
	found, ok := b.byID.Find(b.byID.Hash(id), func(locator uint64) bool {
		rec := b.table.Get(locator)
		return bytes.Equal(b.idOf(rec), id) && (i64(rec[offEnded:]) == 0 || i64(rec[offEnded:]) >= horizon)
	})
	return uint32(found), ok
}

// nextFree is the record that a new one gets: a free one, or one more. It is begun; call made when it is encoded.
func (b *lifeBook) nextFree(index uint64) (slot uint32, rec []byte) {
	if k, ok := b.free.first(); ok {
		b.free.remove(0)
		return k.slot, b.table.Begin(uint64(k.slot))
	}
	at, rec := b.table.Append(index)
	return uint32(at), rec
}

// made ends the making of a record that nextFree began.
func (b *lifeBook) made(slot uint32, rec []byte, index uint64) {
	b.table.End(uint64(slot), index)
	b.byID.Insert(b.byID.Hash(b.idOf(rec)), uint64(slot))
}

// sortEnded puts those that ended in one unit in the order of their ends, as after a reload.
func (b *lifeBook) sortEnded(from int) {
	if tail := b.ended[from:]; len(tail) > 1 {
		slices.SortFunc(tail, func(x, y uint32) int { return cmp.Compare(b.last(x), b.last(y)) })
	}
}

func (b *lifeBook) last(slot uint32) uint64 { return le.Uint64(b.table.Get(uint64(slot))[offLast:]) }

// freesPerCall bounds the forgotten records that one call frees.
const freesPerCall = 1000

// forget frees records of what ended before the horizon.
func (b *lifeBook) forget(index uint64, horizon int64) {
	n := 0
	for ; n < len(b.ended) && n < freesPerCall; n++ {
		slot := b.ended[n]
		rec := b.table.Get(uint64(slot))
		if i64(rec[offEnded:]) >= horizon {
			break
		}
		b.byID.Delete(b.byID.Hash(b.idOf(rec)), uint64(slot))
		clear(b.table.Begin(uint64(slot))[8:])
		b.table.End(uint64(slot), index)
		b.free.push(keyed{int64(slot), slot})
	}
	b.ended = b.ended[n:]
}

// rebuild derives everything from the records, and returns the open ones in the order in which they were made. check tells
// what is wrong with a record that is not free.
func (b *lifeBook) rebuild(pause *pacer, check func(slot uint32, rec []byte) error) (open []uint32, err error) {
	for slot := range b.table.Len() {
		if err := pause.next(); err != nil {
			return nil, err
		}
		rec := b.table.Get(slot)
		if rec[offLifeState] == 0 {
			b.free.push(keyed{int64(slot), uint32(slot)})
			continue
		}
		if err := check(uint32(slot), rec); err != nil {
			return nil, err
		}
		b.byID.Insert(b.byID.Hash(b.idOf(rec)), slot)
		if i64(rec[offEnded:]) == 0 {
			open = append(open, uint32(slot))
		} else {
			b.ended = append(b.ended, uint32(slot))
		}
	}
	slices.SortFunc(open, func(x, y uint32) int {
		return cmp.Compare(le.Uint64(b.table.Get(uint64(x))[offFirst:]), le.Uint64(b.table.Get(uint64(y))[offFirst:]))
	})
	b.sortEnded(0)
	return open, nil
}
