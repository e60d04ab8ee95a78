package node

import (
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/logstore"
)

func TestReconcileLogAndSnapshot(t *testing.T) {
	tests := []struct {
		name                  string
		snapshot, first, last uint64
		term                  uint64 // of the snapshot, 0: 1, as the log's
		refused               bool
		wantLast              uint64
	}{
		{name: "new member"},
		{name: "log from the beginning", first: 1, last: 5, wantLast: 5},
		{name: "log behind a snapshot, with a trail", snapshot: 5, first: 3, last: 9, wantLast: 9},
		{name: "log goes on right behind", snapshot: 5, first: 6, last: 9, wantLast: 9},
		{name: "snapshot and no log", snapshot: 5},
		{name: "crash between publishing an installed snapshot and wiping the log", snapshot: 9, first: 3, last: 7},
		{name: "log ends at the snapshot", snapshot: 9, first: 3, last: 9, wantLast: 9},
		{name: "log goes another way from the snapshot on", snapshot: 5, first: 3, last: 9, term: 2},
		{name: "log goes another way and begins behind the snapshot", snapshot: 5, first: 6, last: 9, term: 2, wantLast: 9},
		{name: "gap", snapshot: 5, first: 7, last: 9, refused: true, wantLast: 9},
		{name: "beginning lost", first: 2, last: 9, refused: true, wantLast: 9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log, err := logstore.Open(logstore.Options{
				Dir: t.TempDir(), Kind: logstore.Bolt, Logger: hclog.NewNullLogger(), Fatal: func(err error) { t.Error(err) },
			})
			must(t, err)
			defer log.Close()
			snapshots := raft.NewInmemSnapshotStore()
			for i := tt.first; i > 0 && i <= tt.last; i++ {
				must(t, log.StoreLog(&raft.Log{Index: i, Term: 1}))
			}
			if tt.snapshot > 0 {
				sink, err := snapshots.Create(raft.SnapshotVersionMax, tt.snapshot, max(tt.term, 1), raft.Configuration{}, 1, nil)
				must(t, err)
				must(t, sink.Close())
			}
			err = reconcile(log, snapshots, hclog.NewNullLogger())
			if (err != nil) != tt.refused {
				t.Fatalf("got %v, want refused %v", err, tt.refused)
			}
			if last, err := log.LastIndex(); err != nil || last != tt.wantLast {
				t.Fatalf("the log ends at %d, want %d", last, tt.wantLast)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
