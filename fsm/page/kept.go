package page

import "encoding/binary"

// What a View keeps of one table: the records that changed since it was pinned, as they were, and the indexes of their pages.
//
//	blocks    [block]    | page: index when pinned, newest of its records kept |
//	                                                         │
//	arena     [chunk]    | size of a record + 16: position, place of the one kept before of that page + 1, the record |
//
// All of it grows by pieces of a fixed size and nothing is moved: keeping happens between callers' operations, where the time to
// copy what was kept so far would be felt.
const (
	keptBlock  = 256      // pages
	keptChunk  = 64 << 10 // bytes, about
	keptHeader = 16
)

// keptPage is what is kept of one page.
type keptPage struct {
	index uint64 // when pinned; 0: the page has not changed
	last  uint64 // place of the newest record that is kept, + 1; 0: none
}

// keeper keeps records and indexes. Positions and page numbers are those of the table.
type keeper struct {
	size     uint64 // of a record with its header
	perChunk uint64 // records
	first    uint64 // page number
	blocks   []*[keptBlock]keptPage
	arena    [][]byte
	count    uint64 // records
}

func newKeeper(recordSize, firstPage, pages uint64) *keeper {
	k := &keeper{size: recordSize + keptHeader, first: firstPage}
	k.perChunk = max(keptChunk/k.size, 1)
	k.blocks = make([]*[keptBlock]keptPage, (pages+keptBlock-1)/keptBlock)
	return k
}

// page is what is kept of a page; nil: nothing of it nor of its neighbours.
func (k *keeper) page(number uint64) *keptPage {
	if k == nil {
		return nil
	}
	i := number - k.first
	if b := k.blocks[i/keptBlock]; b != nil {
		return &b[i%keptBlock]
	}
	return nil
}

// made is page, with room for it made.
func (k *keeper) made(number uint64) *keptPage {
	if b := &k.blocks[(number-k.first)/keptBlock]; *b == nil {
		*b = new([keptBlock]keptPage)
	}
	return k.page(number)
}

// keep copies a record.
func (k *keeper) keep(number, pos uint64, rec []byte) {
	p, chunk := k.made(number), k.count/k.perChunk
	if chunk == uint64(len(k.arena)) {
		k.arena = append(k.arena, make([]byte, k.perChunk*k.size))
	}
	at := k.slot(k.count)
	binary.LittleEndian.PutUint64(at, pos)
	binary.LittleEndian.PutUint64(at[8:], p.last)
	copy(at[keptHeader:], rec)
	k.count++
	p.last = k.count
}

func (k *keeper) slot(place uint64) []byte {
	off := place % k.perChunk * k.size
	return k.arena[place/k.perChunk][off : off+k.size]
}

// each calls yield with every record of the page that is kept, newest first.
func (k *keeper) each(number uint64, yield func(pos uint64, rec []byte)) {
	p := k.page(number)
	if p == nil {
		return
	}
	for place := p.last; place > 0; {
		at := k.slot(place - 1)
		yield(binary.LittleEndian.Uint64(at), at[keptHeader:])
		place = binary.LittleEndian.Uint64(at[8:])
	}
}
