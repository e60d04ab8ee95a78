// Package history keeps, in the replicated state, the newest changes of replicated settings: which, from what to what, when
// and by whom.
//
//	record | index 8 | number of the change 8 | log time 8 | before 8 | after 8 | setting 2 | length of by 2 | zero 4 | by 80 |
//
// Changes are numbered from 1; change n has record (n-1) mod Max, so that the newest Max are kept. A command that changes
// several settings makes a change of each; one that leaves a setting as it was makes none.
package history

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/page"
)

const (
	// Max is how many changes are kept.
	Max = 256
	// MaxBy bounds who made one, bytes.
	MaxBy = 80
	// RecordBytes is the size of a record.
	RecordBytes = 128

	offNumber  = 8
	offTime    = 16
	offBefore  = 24
	offAfter   = 32
	offSetting = 40
	offByLen   = 42
	offBy      = 48
)

// ErrInvalid: the table cannot be a history.
var ErrInvalid = errors.New("the history of settings is not valid")

// Change is one change of one setting.
type Change struct {
	// Index of the log entry.
	Index uint64
	// Time is log time, Unix nanoseconds.
	Time int64
	// Setting is its number as in proposals; Before and After are its values there.
	Setting       uint16
	Before, After uint64
	// By tells who made it; of a longer text the first MaxBy bytes are kept.
	By string
}

// Table is the table of changes.
type Table struct{ table *page.Table }

// New declares the table in a space, under the id that it has in all stored pages.
func New(space *page.Space, id uint8) *Table { return &Table{space.Table(id, RecordBytes)} }

// Add records a change.
func (t *Table) Add(c Change) {
	n := t.last() + 1
	slot := (n - 1) % Max
	var rec []byte
	if slot == t.table.Len() {
		_, rec = t.table.Append(c.Index)
	} else {
		rec = t.table.Begin(slot)
		clear(rec[offNumber:])
	}
	by := c.By[:min(len(c.By), MaxBy)]
	le := binary.LittleEndian
	le.PutUint64(rec[offNumber:], n)
	le.PutUint64(rec[offTime:], uint64(c.Time))
	le.PutUint64(rec[offBefore:], c.Before)
	le.PutUint64(rec[offAfter:], c.After)
	le.PutUint16(rec[offSetting:], c.Setting)
	le.PutUint16(rec[offByLen:], uint16(len(by)))
	copy(rec[offBy:], by)
	t.table.End(slot, c.Index)
}

// Changes are those that are kept, newest first.
func (t *Table) Changes() []Change {
	var list []Change
	last := t.last()
	for i := range t.table.Len() {
		list = append(list, decode(t.table.Get((last-1-i)%Max)))
	}
	return list
}

// Check tells whether the records can be a history, after pages were loaded.
func (t *Table) Check() error {
	n := t.table.Len()
	if n > Max {
		return fmt.Errorf("%w: %d records, want at most %d", ErrInvalid, n, Max)
	}
	last := t.last()
	for slot := range n {
		rec := t.table.Get(slot)
		number := binary.LittleEndian.Uint64(rec[offNumber:])
		if number == 0 || (number-1)%Max != slot || last-number >= n {
			return fmt.Errorf("%w: record %d of %d is change %d, the newest is %d", ErrInvalid, slot, n, number, last)
		}
		if by := binary.LittleEndian.Uint16(rec[offByLen:]); by > MaxBy {
			return fmt.Errorf("%w: record %d names somebody in %d bytes, want at most %d", ErrInvalid, slot, by, MaxBy)
		}
	}
	return nil
}

// last is the number of the newest change; 0: there is none.
func (t *Table) last() (newest uint64) {
	for slot := range t.table.Len() {
		newest = max(newest, binary.LittleEndian.Uint64(t.table.Get(slot)[offNumber:]))
	}
	return newest
}

func decode(rec []byte) Change {
	le := binary.LittleEndian
	return Change{
		Index: le.Uint64(rec), Time: int64(le.Uint64(rec[offTime:])), Setting: le.Uint16(rec[offSetting:]),
		Before: le.Uint64(rec[offBefore:]), After: le.Uint64(rec[offAfter:]),
		By: string(rec[offBy : offBy+int(le.Uint16(rec[offByLen:]))]),
	}
}
