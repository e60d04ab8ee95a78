// Package upkeep keeps, in the replicated state, the settings by which members keep their logs, take snapshots and bring
// each other up to date. They change nothing of the books.
//
//	record | index 8 | log retention bytes 8 | log pin bytes 8 | snapshot min, max log bytes 8, 8 | transfer rate 8 |
//	       | backfill rate 8 | log retention time in ns 8 | max transfers 4 | zero 52 |
//
// As long as none was ever changed there is no record, and the defaults are the program's.
package upkeep

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/ballastdb/ballast/fsm/page"
)

// Settings are replicated: every member has the same at the same index.
type Settings struct {
	// LogRetentionBytes and LogRetentionTime are how much log a member keeps for others that were away: entries go when
	// either is passed, but never one that its own newest snapshot does not cover.
	LogRetentionBytes uint64
	LogRetentionTime  time.Duration
	// LogPinBytes is how long the log may grow, beyond its retention, for a member that is receiving a snapshot. Past it
	// the log goes, and that member may have to begin again.
	LogPinBytes uint64
	// SnapshotMinLogBytes and SnapshotMaxLogBytes bound the log between two snapshot marks. Within them a mark is due when
	// the log weighs as much as the snapshot would write.
	SnapshotMinLogBytes, SnapshotMaxLogBytes uint64
	// TransferRate bounds what a member sends of snapshots, BackfillRate what it sends of the journal, and what it
	// fetches of it where it lacks some, bytes a second.
	TransferRate, BackfillRate uint64
	// MaxTransfers is how many snapshots a leader sends at once.
	MaxTransfers uint32
}

// Bounds of settings.
const (
	// MinLogBytes is four full proposals: with less than a few of them in it a log helps nobody.
	MinLogBytes = 1 << 20
	// MaxLogBytes is more than a member reads again within an hour.
	MaxLogBytes = 1 << 40
	// MinRetentionTime is a few elections.
	MinRetentionTime = time.Second
	// MaxRetentionTime is what the longest repair of a machine takes; a snapshot is cheaper by far.
	MaxRetentionTime = 30 * 24 * time.Hour
	// MinSnapshotBytes is one page: no snapshot writes less.
	MinSnapshotBytes = page.Size
	// MinRate brings a member with a million accounts back within minutes. With less, messages that take turns would come so
	// seldom that a transfer looks as if it stood still.
	MinRate = 512 << 10
	// MaxRate is more than a network carries.
	MaxRate = 100 << 30
	// MaxMaxTransfers is more than members that a leader feeds without its callers noticing.
	MaxMaxTransfers = 16
)

// Default settings are those of a store in which none was changed.
func Default() Settings {
	return Settings{
		LogRetentionBytes: 1 << 30, LogRetentionTime: time.Hour, LogPinBytes: 4 << 30,
		SnapshotMinLogBytes: 16 << 20, SnapshotMaxLogBytes: 1 << 30,
		TransferRate: 64 << 20, BackfillRate: 8 << 20, MaxTransfers: 1,
	}
}

// FieldError names a setting that is out of its bounds.
type FieldError struct {
	Field   string // as in ballast.v1
	Problem string // what was expected and what was found
}

// Error implements error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// Validate returns a *FieldError that names the first setting out of bounds.
func (s Settings) Validate() error {
	for _, f := range []struct {
		name             string
		value, low, high uint64
	}{
		{"log_retention_bytes", s.LogRetentionBytes, MinLogBytes, MaxLogBytes},
		{"log_pin_bytes", s.LogPinBytes, MinLogBytes, MaxLogBytes},
		{"snapshot_min_log_bytes", s.SnapshotMinLogBytes, MinSnapshotBytes, MaxLogBytes},
		{"snapshot_max_log_bytes", s.SnapshotMaxLogBytes, MinSnapshotBytes, MaxLogBytes},
		{"max_transfers", uint64(s.MaxTransfers), 1, MaxMaxTransfers},
		{"transfer_rate", s.TransferRate, MinRate, MaxRate},
		{"backfill_rate", s.BackfillRate, MinRate, MaxRate},
	} {
		if f.value < f.low || f.value > f.high {
			return &FieldError{f.name, fmt.Sprintf("want %d to %d, found %d", f.low, f.high, f.value)}
		}
	}
	switch {
	case s.LogRetentionTime < MinRetentionTime || s.LogRetentionTime > MaxRetentionTime:
		return &FieldError{"log_retention_time", fmt.Sprintf("want %s to %s, found %s", MinRetentionTime, MaxRetentionTime, s.LogRetentionTime)}
	case s.SnapshotMinLogBytes > s.SnapshotMaxLogBytes:
		return &FieldError{
			"snapshot_min_log_bytes",
			fmt.Sprintf("want at most snapshot_max_log_bytes, which is %d, found %d", s.SnapshotMaxLogBytes, s.SnapshotMinLogBytes),
		}
	}
	return nil
}

// RecordBytes is the size of the record.
const RecordBytes = 120

// ErrInvalid: the table cannot be one of settings.
var ErrInvalid = errors.New("the settings of upkeep are not valid")

// Table is the table of the one record.
type Table struct{ table *page.Table }

// New declares the table in a space, under the id that it has in all stored pages.
func New(space *page.Space, id uint8) *Table { return &Table{space.Table(id, RecordBytes)} }

// Settings in force.
func (t *Table) Settings() Settings {
	if t.table.Len() == 0 {
		return Default()
	}
	return decode(t.table.Get(0))
}

// Put puts valid settings in force at a log index.
func (t *Table) Put(index uint64, s Settings) {
	if t.Settings() == s {
		return
	}
	var rec []byte
	if t.table.Len() == 0 {
		_, rec = t.table.Append(index)
	} else {
		rec = t.table.Begin(0)
	}
	encode(rec, s)
	t.table.End(0, index)
}

// Check tells whether the record can be one of settings, after pages were loaded.
func (t *Table) Check() error {
	if n := t.table.Len(); n > 1 {
		return fmt.Errorf("%w: %d records, want at most 1", ErrInvalid, n)
	}
	if err := t.Settings().Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// sizes are the settings of 8 bytes in their order in the record.
func (s *Settings) sizes() [6]*uint64 {
	return [6]*uint64{&s.LogRetentionBytes, &s.LogPinBytes, &s.SnapshotMinLogBytes, &s.SnapshotMaxLogBytes, &s.TransferRate, &s.BackfillRate}
}

const (
	offSizes     = 8
	offTime      = offSizes + 6*8
	offTransfers = offTime + 8
)

func encode(rec []byte, s Settings) {
	for i, v := range s.sizes() {
		binary.LittleEndian.PutUint64(rec[offSizes+8*i:], *v)
	}
	binary.LittleEndian.PutUint64(rec[offTime:], uint64(s.LogRetentionTime))
	binary.LittleEndian.PutUint32(rec[offTransfers:], s.MaxTransfers)
}

func decode(rec []byte) (s Settings) {
	for i, v := range s.sizes() {
		*v = binary.LittleEndian.Uint64(rec[offSizes+8*i:])
	}
	s.LogRetentionTime = time.Duration(binary.LittleEndian.Uint64(rec[offTime:]))
	s.MaxTransfers = binary.LittleEndian.Uint32(rec[offTransfers:])
	return s
}
