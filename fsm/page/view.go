package page

import (
	"encoding/binary"
	"fmt"
	"sync"
)

// View is the state as it was when it was pinned. It costs memory for the records that are changed while it is open
// and that it has not read yet. Pinning takes constant time; Close ends it.
type View struct {
	space  *Space
	lock   sync.Locker
	index  uint64 // newest index of the pinned state
	digest Digest
	stores []*viewStore
}

// viewStore is a view of one table or queue.
type viewStore struct {
	st         *store
	head, tail uint64
	read       uint64  // pages below this number have been read: nothing of them is preserved any more
	kept       *keeper // nil: nothing has changed since
}

// Page is one page of a view.
type Page struct {
	ID
	// Index of the newest change to it.
	Index uint64
	// RecordSize of its table, bytes; 0: not known.
	RecordSize int
	// Data is Size bytes, valid until the callback returns.
	Data []byte
}

// View pins the present state. The caller has exclusive access now, and again when it calls Close. lock gives shared
// access: Pages takes it for one page at a time. Every change after this must carry an index above NewestIndex.
func (s *Space) View(lock sync.Locker) *View {
	return s.view(lock, func(uint8) bool { return true })
}

// ViewOf is a View of one table or queue alone: it costs nothing for changes of others.
func (s *Space) ViewOf(lock sync.Locker, table uint8) *View {
	return s.view(lock, func(id uint8) bool { return id == table })
}

func (s *Space) view(lock sync.Locker, in func(table uint8) bool) *View {
	s.mustBeWhole("View")
	v := &View{space: s, lock: lock, index: s.newest, digest: s.digest, stores: make([]*viewStore, len(s.stores))}
	for i, st := range s.stores {
		v.stores[i] = &viewStore{st: st}
		if in(st.id) { // of the others it shows no position, and keeps none
			v.stores[i].head, v.stores[i].tail = st.head, st.tail
		}
	}
	s.views = append(s.views, v)
	return v
}

// Digest of the pinned state.
func (v *View) Digest() Digest { return v.digest }

// Index is the newest index of a change in the pinned state.
func (v *View) Index() uint64 { return v.index }

// Preserved is how much the view holds of records changed since, bytes. The memory for it is a little more: 16 bytes a record,
// and what rounding up costs.
func (v *View) Preserved() uint64 {
	n := uint64(0)
	for _, vs := range v.stores {
		if vs.kept != nil {
			n += vs.kept.count * vs.st.size
		}
	}
	return n
}

// Close ends the view; closing twice is harmless. The caller has exclusive access.
func (v *View) Close() {
	for i, o := range v.space.views {
		if o == v {
			v.space.views = append(v.space.views[:i:i], v.space.views[i+1:]...)
			return
		}
	}
}

// Pages calls yield for every page of the pinned state, in order of declaration and number, and stops at its first
// error. It may be called once. yield runs without the lock.
func (v *View) Pages(yield func(Page) error) error {
	return v.Changed(func(ID, uint64) bool { return true }, yield)
}

// Changed is Pages with the data of those pages only for which want is true; the others come with Data nil. want gets
// the page's index when it was pinned, and runs under the lock.
func (v *View) Changed(want func(id ID, index uint64) bool, yield func(Page) error) error {
	buf := make([]byte, Size)
	for _, vs := range v.stores {
		if vs.tail == vs.head {
			continue
		}
		for n := vs.head / vs.st.perPage; n*vs.st.perPage < vs.tail; n++ {
			p := Page{ID: ID{vs.st.id, n}, RecordSize: int(vs.st.size)}
			v.lock.Lock()
			if p.Index = vs.pinnedIndex(n, v.index); want(p.ID, p.Index) {
				p.Data = buf
				vs.copyPage(n, v.index, buf)
			}
			vs.read = n + 1
			v.lock.Unlock()
			if err := yield(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// preserve copies a record that is about to change, unless it changed since the view was pinned, is newer than the
// view, or is on a page that has been read.
func (v *View) preserve(st *store, pos uint64, rec []byte) {
	vs, n := v.of(st), st.number(pos)
	if binary.LittleEndian.Uint64(rec) > v.index || n < vs.read || pos < vs.head || pos >= vs.tail {
		return
	}
	vs.keeper().keep(n, pos, rec)
}

// preserveIndex keeps the index of a page that is about to rise to another.
func (v *View) preserveIndex(st *store, number, index, to uint64) {
	vs := v.of(st)
	if to <= v.index {
		panic(fmt.Sprintf("page: table %d changed at index %d, which a view of index %d shows", st.id, to, v.index))
	}
	if index > v.index || number < vs.read || number*st.perPage >= vs.tail {
		return
	}
	vs.keeper().made(number).index = index
}

func (v *View) of(st *store) *viewStore { return v.stores[st.order] }

// keeper is what keeps for the view, made by the first change.
func (vs *viewStore) keeper() *keeper {
	if vs.kept == nil {
		st := vs.st
		vs.kept = newKeeper(st.size, vs.head/st.perPage, (vs.tail+st.perPage-1)/st.perPage-vs.head/st.perPage)
	}
	return vs.kept
}

// pinnedIndex is the index that page n had when pinned.
func (vs *viewStore) pinnedIndex(n, pinned uint64) uint64 {
	if st := vs.st; n >= st.base && st.pages[n-st.base].index <= pinned {
		return st.pages[n-st.base].index
	}
	if kept := vs.kept.page(n); kept != nil {
		return kept.index
	}
	return 0
}

// copyPage builds page n as it was when pinned.
func (vs *viewStore) copyPage(n, pinned uint64, buf []byte) {
	st := vs.st
	if n < st.base { // all of it was dropped since
		clear(buf)
	} else {
		p := st.pages[n-st.base]
		copy(buf, p.data[:])
		if p.index <= pinned {
			return
		}
	}
	record := func(pos uint64) []byte {
		off := pos % st.perPage * st.size
		return buf[off : off+st.size]
	}
	vs.kept.each(n, func(pos uint64, old []byte) { copy(record(pos), old) })
	for pos := n * st.perPage; pos < (n+1)*st.perPage; pos++ {
		rec := record(pos)
		if pos < vs.head || pos >= vs.tail {
			clear(rec)
		} else if at := binary.LittleEndian.Uint64(rec); at == 0 || at > pinned {
			panic(fmt.Sprintf("page: table %d position %d changed without being preserved", st.id, pos))
		}
	}
}
