package page

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrLoad is wrapped by every error of Load and Loaded: the pages are not those of a state with these tables.
var ErrLoad = errors.New("pages do not load")

// Load puts a page, Size bytes, into an empty space that declares the same tables as the one it came from. Pages of a
// table come in order of number. The data is copied. After the last page call Loaded.
func (s *Space) Load(p Page) error {
	st := s.byID[p.Table]
	if st == nil {
		return fmt.Errorf("%w: page %d of table %d, which this version does not have", ErrLoad, p.Number, p.Table)
	}
	if len(p.Data) != Size {
		return fmt.Errorf("%w: page %d of table %d has %d bytes, want %d", ErrLoad, p.Number, p.Table, len(p.Data), Size)
	}
	switch next := st.base + uint64(len(st.pages)); {
	case len(st.pages) == 0 && (st.queue || p.Number == 0):
		st.base = p.Number
	case len(st.pages) == 0 || p.Number != next:
		return fmt.Errorf("%w: page %d of table %d comes where page %d belongs", ErrLoad, p.Number, p.Table, next)
	}
	data := new([Size]byte)
	copy(data[:], p.Data)
	st.pages = append(st.pages, slab{data: data, index: p.Index})
	s.newest = max(s.newest, p.Index)
	return nil
}

// Loaded ends a sequence of Load, or of Put and Share: it finds the live records of every table and sets the digest from
// them. A queue that was empty has no pages and is left at position 0: see Queue.Reset.
func (s *Space) Loaded(breathe Breathe) error {
	for _, st := range s.stores {
		if err := st.bound(breathe); err != nil {
			return err
		}
	}
	s.mustBeWhole("Loaded")
	s.digest = Digest{}
	for _, st := range s.stores {
		for i := range st.pages {
			if err := breathe.every(i); err != nil {
				return err
			}
			sum := st.recompute(st.base + uint64(i))
			st.pages[i].sum = sum
			s.digest.add(sum[0], sum[1])
		}
	}
	return nil
}

// bound derives head and tail: live records have an index, what is before and behind them is zero.
func (st *store) bound(breathe Breathe) error {
	if len(st.pages) == 0 {
		return nil
	}
	for i := range st.pages {
		if st.pages[i].data == nil {
			return fmt.Errorf("%w: page %d of table %d is missing", ErrLoad, st.base+uint64(i), st.id)
		}
	}
	first, last := st.base*st.perPage, (st.base+uint64(len(st.pages)))*st.perPage
	st.head, st.tail = first, last
	index := func(pos uint64) uint64 { return binary.LittleEndian.Uint64(st.at(pos)) }
	for st.tail > first && index(st.tail-1) == 0 {
		st.tail--
	}
	for st.queue && st.head < st.tail && index(st.head) == 0 {
		st.head++
	}
	if st.tail <= last-st.perPage || st.head >= first+st.perPage {
		return fmt.Errorf("%w: the first or last page of table %d holds no record", ErrLoad, st.id)
	}
	for i, p := range st.pages {
		if err := breathe.every(i); err != nil {
			return err
		}
		number := st.base + uint64(i)
		for pos := number * st.perPage; pos < (number+1)*st.perPage; pos++ {
			live := pos >= st.head && pos < st.tail
			if at := index(pos); live != (at != 0) || at > p.index {
				return fmt.Errorf("%w: position %d of table %d has index %d on a page of index %d", ErrLoad, pos, st.id, at, p.index)
			}
		}
	}
	return nil
}

// Reset sets an empty queue's next position, after loading: an empty queue leaves no page that would tell it.
func (q *Queue) Reset(pos uint64) error {
	if q.st.head == pos && q.st.tail == pos {
		return nil
	}
	if q.Len() != 0 || len(q.st.pages) != 0 {
		return fmt.Errorf("%w: queue %d holds positions %d to %d and cannot start at %d", ErrLoad, q.st.id, q.st.head, q.st.tail, pos)
	}
	q.st.head, q.st.tail = pos, pos
	return nil
}
