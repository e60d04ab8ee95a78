package node

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// anyState restores whatever it is given.
type anyState struct{ raft.FSM }

func (anyState) Restore(io.ReadCloser) error { return nil }

// A member whose newest snapshot is damaged must not start from an older one: its log no longer has what lies between.
func TestNoStartFromAnOlderSnapshot(t *testing.T) {
	dir := t.TempDir()
	files, err := raft.NewFileSnapshotStoreWithLogger(dir, retainedSnapshots, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	_, transport := raft.NewInmemTransport("")
	defer transport.Close()
	var newest string
	for index := range uint64(2) {
		sink, err := files.Create(1, 10+index, 1, raft.Configuration{}, 1, transport)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sink.Write([]byte("state")); err != nil {
			t.Fatal(err)
		}
		if err := sink.Close(); err != nil {
			t.Fatal(err)
		}
		newest = sink.ID()
	}
	if err := os.WriteFile(filepath.Join(dir, "snapshots", newest, "state.bin"), []byte("stale"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := raft.DefaultConfig()
	config.LocalID, config.Logger = "a", hclog.NewNullLogger()
	logs := raft.NewInmemStore()
	r, err := raft.NewRaft(config, anyState{}, logs, logs, newestSnapshot{files}, transport)
	if err == nil {
		r.Shutdown()
		t.Fatal("it started")
	}
	if !strings.Contains(err.Error(), "snapshot") {
		t.Errorf("got %v", err)
	}
}
