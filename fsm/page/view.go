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
	read       uint64            // pages below this number have been read: nothing of them is preserved any more
	records    map[uint64]uint64 // position -> offset of the old record in arena
	arena      []byte
	indexes    map[uint64]uint64 // page number -> its index when pinned, for pages changed since
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
	s.mustBeWhole("View")
	v := &View{space: s, lock: lock, index: s.newest, digest: s.digest, stores: make([]*viewStore, len(s.stores))}
	for i, st := range s.stores {
		v.stores[i] = &viewStore{st: st, head: st.head, tail: st.tail}
	}
	s.views = append(s.views, v)
	return v
}

// Digest of the pinned state.
func (v *View) Digest() Digest { return v.digest }

// Index is the newest index of a change in the pinned state.
func (v *View) Index() uint64 { return v.index }

// Preserved is the memory that the view holds for records changed since, bytes.
func (v *View) Preserved() int64 {
	n := int64(0)
	for _, vs := range v.stores {
		n += int64(len(vs.arena))
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
	if binary.LittleEndian.Uint64(rec) > v.index {
		return
	}
	v.of(st).keep(pos, rec, v.index)
}

// preserveIndex keeps the index of a page that is about to rise.
func (v *View) preserveIndex(st *store, number, index uint64) {
	vs := v.of(st)
	if index > v.index || number < vs.read || number*st.perPage >= vs.tail {
		return
	}
	if vs.indexes == nil {
		vs.indexes = map[uint64]uint64{}
	}
	vs.indexes[number] = index
}

func (v *View) of(st *store) *viewStore { return v.stores[st.order] }

func (vs *viewStore) keep(pos uint64, rec []byte, index uint64) {
	n := vs.st.number(pos)
	if n < vs.read || pos < vs.head || pos >= vs.tail {
		return
	}
	if vs.records == nil {
		vs.records = map[uint64]uint64{}
	}
	if _, twice := vs.records[pos]; twice {
		panic(fmt.Sprintf("page: table %d position %d changed twice at or below the view's index %d", vs.st.id, pos, index))
	}
	vs.records[pos] = uint64(len(vs.arena))
	vs.arena = append(vs.arena, rec...)
}

// pinnedIndex is the index that page n had when pinned.
func (vs *viewStore) pinnedIndex(n, pinned uint64) uint64 {
	if st := vs.st; n >= st.base && st.pages[n-st.base].index <= pinned {
		return st.pages[n-st.base].index
	}
	return vs.indexes[n]
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
	for pos := n * st.perPage; pos < (n+1)*st.perPage; pos++ {
		off := pos % st.perPage * st.size
		rec := buf[off : off+st.size]
		at := binary.LittleEndian.Uint64(rec)
		switch old, ok := vs.records[pos]; {
		case pos < vs.head || pos >= vs.tail:
			clear(rec)
		case ok:
			copy(rec, vs.arena[old:old+st.size])
		case at == 0 || at > pinned:
			panic(fmt.Sprintf("page: table %d position %d changed without being preserved", st.id, pos))
		}
	}
}
