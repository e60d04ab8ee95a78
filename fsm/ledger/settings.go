package ledger

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Settings are replicated: every member has the same at the same index.
type Settings struct {
	// IDWindow is how long an operation id is remembered after max(issued_at, applied), 1 minute to 400 days.
	IDWindow time.Duration
	// IDBudgetBytes bounds the records of remembered ids, 1 MiB to 1 TiB. Where it is reached before the window is
	// over, the horizon moves and the window is shorter.
	IDBudgetBytes uint64
	// RefusedSharePercent is the part of the budget for ids of refused operations, 1 to 50.
	RefusedSharePercent uint32
	// CheckpointInterval is the number of log entries between two checkpoints of the digest, 1 to 1,000,000.
	CheckpointInterval uint32
}

// Bounds of settings.
const (
	MinIDWindow           = time.Minute
	MaxIDWindow           = 400 * 24 * time.Hour
	MinIDBudgetBytes      = 1 << 20
	MaxIDBudgetBytes      = 1 << 40
	MaxRefusedShare       = 50
	MaxCheckpointInterval = 1_000_000
)

// DefaultSettings are those of a new store.
func DefaultSettings() Settings {
	return Settings{IDWindow: 7 * 24 * time.Hour, IDBudgetBytes: 1 << 30, RefusedSharePercent: 10, CheckpointInterval: 1000}
}

// Validate returns a *FieldError that names the first setting out of bounds.
func (s Settings) Validate() error {
	switch {
	case s.IDWindow < MinIDWindow || s.IDWindow > MaxIDWindow:
		return &FieldError{"id_window", fmt.Sprintf("want %s to %s, found %s", MinIDWindow, MaxIDWindow, s.IDWindow)}
	case s.IDBudgetBytes < MinIDBudgetBytes || s.IDBudgetBytes > MaxIDBudgetBytes:
		return &FieldError{"id_budget_bytes", fmt.Sprintf("want %d to %d, found %d", uint64(MinIDBudgetBytes), uint64(MaxIDBudgetBytes), s.IDBudgetBytes)}
	case s.RefusedSharePercent < 1 || s.RefusedSharePercent > MaxRefusedShare:
		return &FieldError{"refused_share_percent", fmt.Sprintf("want 1 to %d, found %d", MaxRefusedShare, s.RefusedSharePercent)}
	case s.CheckpointInterval < 1 || s.CheckpointInterval > MaxCheckpointInterval:
		return &FieldError{"checkpoint_interval", fmt.Sprintf("want 1 to %d, found %d", MaxCheckpointInterval, s.CheckpointInterval)}
	}
	return nil
}

// minBucketRecords is what a bucket of refused ids may always hold, however small the budget.
const minBucketRecords = 32

// limits are what the settings allow each queue, in records. What a locator can tell apart bounds them too.
func (s Settings) limits() (done, bucket uint64) {
	refused := s.IDBudgetBytes / 100 * uint64(s.RefusedSharePercent)
	done = (s.IDBudgetBytes - refused) / operationBytes
	bucket = max(refused/bucketCount/operationBytes, minBucketRecords)
	return min(done, 1<<(donePosBits-1)), min(bucket, 1<<(bucketPosBits-1))
}

// Settings record, settingsBytes long; docs/formats/state.md.
func (s Settings) encode(rec []byte) {
	binary.LittleEndian.PutUint64(rec[8:], uint64(s.IDWindow))
	binary.LittleEndian.PutUint64(rec[16:], s.IDBudgetBytes)
	binary.LittleEndian.PutUint32(rec[24:], s.RefusedSharePercent)
	binary.LittleEndian.PutUint32(rec[28:], s.CheckpointInterval)
}

func decodeSettings(rec []byte) Settings {
	return Settings{
		IDWindow:            time.Duration(binary.LittleEndian.Uint64(rec[8:])),
		IDBudgetBytes:       binary.LittleEndian.Uint64(rec[16:]),
		RefusedSharePercent: binary.LittleEndian.Uint32(rec[24:]),
		CheckpointInterval:  binary.LittleEndian.Uint32(rec[28:]),
	}
}
