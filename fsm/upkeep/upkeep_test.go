package upkeep

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/ballastdb/ballast/fsm/page"
)

func sample() Settings {
	return Settings{
		LogRetentionBytes: 0x100001, LogRetentionTime: 90 * time.Minute, LogPinBytes: 0x100002, SnapshotMinLogBytes: 0x100003,
		SnapshotMaxLogBytes: 0x100004, TransferRate: 0x100005, BackfillRate: 0x100006, MaxTransfers: 7,
	}
}

// TestRecord holds the bytes of the record: a change here is another page layout.
func TestRecord(t *testing.T) {
	space := page.NewSpace()
	table := New(space, 195)
	if table.Settings() != Default() || table.Check() != nil {
		t.Fatalf("without a record: %+v, %v", table.Settings(), table.Check())
	}
	table.Put(5, Default())
	if table.table.Len() != 0 {
		t.Error("the defaults make a record")
	}
	table.Put(6, sample())
	table.Put(7, sample())
	want, err := hex.DecodeString("0600000000000000" + "0100100000000000" + "0200100000000000" + "0300100000000000" + "0400100000000000" +
		"0500100000000000" + "0600100000000000" + "00f01449e9040000" + "0700000000000000")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, make([]byte, RecordBytes-len(want))...)
	if got := table.table.Get(0); !bytes.Equal(got, want) {
		t.Errorf("the record is\n%x, want\n%x", got, want)
	}
	if table.Settings() != sample() || table.Check() != nil {
		t.Errorf("read back as %+v, %v", table.Settings(), table.Check())
	}
}

func TestBounds(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*Settings){
		"log_retention_bytes":    func(s *Settings) { s.LogRetentionBytes = MinLogBytes - 1 },
		"log_retention_time":     func(s *Settings) { s.LogRetentionTime = MaxRetentionTime + 1 },
		"log_pin_bytes":          func(s *Settings) { s.LogPinBytes = MaxLogBytes + 1 },
		"snapshot_min_log_bytes": func(s *Settings) { s.SnapshotMinLogBytes = s.SnapshotMaxLogBytes + 1 },
		"snapshot_max_log_bytes": func(s *Settings) { s.SnapshotMaxLogBytes = MinSnapshotBytes - 1 },
		"max_transfers":          func(s *Settings) { s.MaxTransfers = 0 },
		"transfer_rate":          func(s *Settings) { s.TransferRate = 0 },
		"backfill_rate":          func(s *Settings) { s.BackfillRate = MaxRate + 1 },
	} {
		s := Default()
		change(&s)
		var wrong *FieldError
		if err := s.Validate(); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
		table := New(page.NewSpace(), 195)
		table.Put(1, s)
		if err := table.Check(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s, loaded: %v", field, err)
		}
	}
}
