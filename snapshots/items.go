package snapshots

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/page"
)

// Items: what answers wants, README.md has the table. An answer is cut into chunks of whole items.
const (
	itemsVersion = 1
	// chunkBytes is when a chunk of items is full enough to be sent: it ends with the item that reaches it.
	chunkBytes = 128 << 10
)

// itemKind is how an item answers its want.
type itemKind uint8

const (
	itemMissing itemKind = iota // not here
	itemWhole                   // the page
	itemRecords                 // the records that are newer than the page that is held
	itemKinds
)

// recordIndexBytes is the length of the index that every record begins with.
const recordIndexBytes = 8

// chunk is items on their way out.
type chunk struct{ b []byte }

// begin starts a chunk whose first item answers the want at place.
func (c *chunk) begin(place int) {
	c.b = binary.AppendUvarint(append(c.b[:0], itemsVersion), uint64(place))
}

func (c *chunk) empty() bool { return len(c.b) == 0 }

func (c *chunk) missing() { c.b = append(c.b, byte(itemMissing)) }

// page adds a page: whole, or where that is smaller the records that are newer than held.
func (c *chunk) page(data []byte, recordSize int, held uint64) {
	at := len(c.b)
	whole := data[:trimmed(data)]
	if held > 0 && recordSize > 0 && c.records(data, recordSize, held, len(whole)) {
		return
	}
	c.b = binary.AppendUvarint(append(c.b[:at], byte(itemWhole)), uint64(len(whole)))
	c.b = append(c.b, whole...)
}

// records adds the newer records; false, with bytes to cut off, where they are not below a limit.
func (c *chunk) records(data []byte, size int, held uint64, limit int) bool {
	at, slots := len(c.b), page.Size/size
	record := func(slot int) []byte { return data[slot*size : (slot+1)*size] }
	zeroed := 0
	for zeroed < slots && recordIndex(record(zeroed)) == 0 {
		zeroed++
	}
	count := 0
	for slot := range slots {
		if recordIndex(record(slot)) > held {
			count++
		}
	}
	c.b = binary.AppendUvarint(append(c.b, byte(itemRecords)), uint64(zeroed))
	c.b = binary.AppendUvarint(c.b, uint64(count))
	next := 0
	for slot := zeroed; slot < slots && len(c.b)-at < limit; slot++ {
		if recordIndex(record(slot)) > held {
			c.b = binary.AppendUvarint(c.b, uint64(slot-next))
			c.b = append(c.b, record(slot)...)
			next = slot + 1
		}
	}
	return len(c.b)-at < limit
}

func recordIndex(record []byte) uint64 { return binary.LittleEndian.Uint64(record) }

// trimmed is the length of data without its trailing zeros.
func trimmed(data []byte) int {
	n := len(data)
	for n > 0 && data[n-1] == 0 {
		n--
	}
	return n
}

// item answers the want at place. Its bytes alias the chunk.
type item struct {
	place  int
	kind   itemKind
	whole  []byte
	bytes  int // that it takes in its chunk
	zeroed int // leading records that are zero
	count  int // newer records, which follow in delta
	delta  []byte
	size   int // of a record
}

var errItems = errors.New("snapshots: these are no items")

// decodeItems calls yield for each item of a chunk. next is the place that its first one must answer, wants how many there
// are, recordSize what the table of a want has. It answers the place after the last item.
func decodeItems(b []byte, next, wants int, recordSize func(place int) int, yield func(item) error) (int, error) {
	if len(b) == 0 || b[0] != itemsVersion {
		return next, fmt.Errorf("%w: they are not of version %d", errItems, itemsVersion)
	}
	r := reader{b: b[1:]}
	if first := r.uvarint(); r.bad || first != uint64(next) {
		return next, fmt.Errorf("%w: expected the answer to want %d, found that to %d", errItems, next, first)
	}
	for len(r.b) > 0 {
		if next == wants {
			return next, fmt.Errorf("%w: there are more than the %d that were asked for", errItems, wants)
		}
		it, before := item{place: next}, len(r.b)
		if !it.read(&r, recordSize(next)) {
			return next, fmt.Errorf("%w: the answer to want %d does not end", errItems, next)
		}
		it.bytes = before - len(r.b)
		if err := yield(it); err != nil {
			return next, err
		}
		next++
	}
	return next, nil
}

func (i *item) read(r *reader, size int) bool {
	i.kind = itemKind(r.byte())
	switch i.kind {
	case itemMissing:
	case itemWhole:
		n := r.uvarint()
		if n > page.Size {
			return false
		}
		i.whole = r.bytes(n)
	case itemRecords:
		return i.readRecords(r, size)
	default:
		return false
	}
	return !r.bad
}

// readRecords finds where the records end, and that each lies within a page.
func (i *item) readRecords(r *reader, size int) bool {
	if size < recordIndexBytes || size > page.Size {
		return false
	}
	slots := uint64(page.Size / size)
	zeroed, count := r.uvarint(), r.uvarint()
	if r.bad || zeroed > slots || count > slots {
		return false
	}
	start, slot := r.b, uint64(0)
	for range count {
		gap := r.uvarint()
		if gap >= slots || slot+gap >= slots || r.bytes(uint64(size)) == nil {
			return false
		}
		slot += gap + 1
	}
	i.zeroed, i.count, i.size, i.delta = int(zeroed), int(count), size, start[:len(start)-len(r.b)]
	return !r.bad
}

// apply makes the page out of what was held of it, data.
func (i *item) apply(data []byte) {
	switch i.kind {
	case itemWhole:
		clear(data[copy(data, i.whole):])
	case itemRecords:
		clear(data[:i.zeroed*i.size])
		r, slot := reader{b: i.delta}, 0
		for range i.count {
			slot += int(r.uvarint())
			copy(data[slot*i.size:], r.bytes(uint64(i.size)))
			slot++
		}
	}
}
