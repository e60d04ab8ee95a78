package snapshots

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/page"
)

// Wants: what one member asks another for, README.md has the table.
const (
	wantsVersion = 1
	// maxWants in one batch, and the most bytes that encode them.
	maxWants      = 8192
	maxWantsBytes = 256 << 10
	minWantBytes  = 3
)

// want asks for a page as it is at index, where the one who asks has it as it was at held, 0: not at all.
type want struct {
	id          page.ID
	index, held uint64
}

// encodeWants writes a batch in order.
func encodeWants(wants []want) []byte {
	b := append(make([]byte, 0, 1+8*len(wants)), wantsVersion)
	for len(wants) > 0 {
		table, n := wants[0].id.Table, 1
		for n < len(wants) && wants[n].id.Table == table && wants[n].id.Number > wants[n-1].id.Number {
			n++ // a run rises; what comes out of order begins another one
		}
		b = binary.AppendUvarint(append(b, table), uint64(n))
		next, index := uint64(0), uint64(0)
		for _, w := range wants[:n] {
			age := uint64(0)
			if w.held > 0 {
				age = w.index - w.held
			}
			b = binary.AppendUvarint(b, w.id.Number-next)
			b = binary.AppendVarint(b, int64(w.index-index))
			b = binary.AppendUvarint(b, age)
			next, index = w.id.Number+1, w.index
		}
		wants = wants[n:]
	}
	return b
}

var errWants = errors.New("snapshots: these are no wants")

// decodeWants reads what encodeWants wrote. Nothing is allocated for what the bytes cannot hold.
func decodeWants(b []byte) ([]want, error) {
	if len(b) == 0 || len(b) > maxWantsBytes {
		return nil, fmt.Errorf("%w: expected 1 to %d bytes, found %d", errWants, maxWantsBytes, len(b))
	}
	if b[0] != wantsVersion {
		return nil, fmt.Errorf("%w: expected version %d, found %d", errWants, wantsVersion, b[0])
	}
	r := reader{b: b[1:]}
	wants := make([]want, 0, min(maxWants, len(r.b)/minWantBytes))
	for len(r.b) > 0 {
		table, n := r.byte(), r.uvarint()
		if r.bad || n == 0 || n > uint64(len(r.b)/minWantBytes) || n > uint64(maxWants-len(wants)) {
			return nil, fmt.Errorf("%w: a run of %d of table %d does not fit", errWants, n, table)
		}
		next, index := uint64(0), uint64(0)
		for range n {
			number := next + r.uvarint()
			index += uint64(r.varint())
			age := r.uvarint()
			if r.bad || number < next || number+1 == 0 || index == 0 || age >= index {
				return nil, fmt.Errorf("%w: want %d of table %d makes no sense", errWants, len(wants), table)
			}
			w := want{id: page.ID{Table: table, Number: number}, index: index}
			if age > 0 {
				w.held = index - age
			}
			wants = append(wants, w)
			next = number + 1
		}
	}
	return wants, nil
}

// reader takes numbers and bytes from the front; bad once they were not there.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) {
	if n <= 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[n:]
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.take(n)
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	r.take(n)
	return v
}

// bytes are the next n, which alias what is read; nil where they are not there.
func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}
