package datadir

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What there is is kept as it is, apart from what was kept before; a copy that cannot be finished leaves nothing.
func TestKeepAside(t *testing.T) {
	dir := mustInit(t)
	must(t, os.WriteFile(filepath.Join(dir, "snapshots", "1.pack"), []byte("pages"), fileMode))
	must(t, os.MkdirAll(filepath.Join(dir, "raft", "wal"), dirMode))
	must(t, os.WriteFile(filepath.Join(dir, "raft", "wal", "1"), []byte("entries"), fileMode))
	must(t, os.MkdirAll(filepath.Join(dir, "before-recovery-3.incomplete", "raft"), dirMode))
	d, err := Look(dir)
	must(t, err)
	defer func() { must(t, d.Close()) }()
	must(t, d.KeepAside(7))
	must(t, d.SetEpoch(7))
	kept := d.Kept(7)
	for _, path := range []string{identityName, bootName, "raft/log.db", "raft/wal/1", "snapshots/1.pack", "journal"} {
		if _, err := os.Stat(filepath.Join(kept, path)); err != nil {
			t.Error(err)
		}
	}
	old, err := Look(kept)
	must(t, err)
	if old.Identity() != testIdentity() || d.Identity().RecoveryEpoch != 7 {
		t.Errorf("kept %+v, made %+v", old.Identity(), d.Identity())
	}
	must(t, old.Close())

	must(t, d.KeepAside(8))
	if found, err := filepath.Glob(filepath.Join(d.Kept(8), keptPrefix+"*")); err != nil || len(found) > 0 {
		t.Errorf("what was kept before is kept again: %v, %v", found, err)
	}
	must(t, syscall.Mkfifo(filepath.Join(dir, "raft", "pipe"), 0o600))
	if err := d.KeepAside(9); err == nil || !strings.Contains(err.Error(), "pipe") {
		t.Errorf("a pipe was kept: %v", err)
	}
	if found, err := filepath.Glob(filepath.Join(dir, keptPrefix+"*")); err != nil || len(found) != 2 {
		t.Errorf("there are %v, %v", found, err)
	}
}

// What was heard is kept; a damaged note is an error, and written anew.
func TestHeardIsKept(t *testing.T) {
	dir := mustInit(t)
	d, err := Open(dir)
	must(t, err)
	defer func() { must(t, d.Close()) }()
	if heard, err := d.Heard(); err != nil || heard != nil {
		t.Fatalf("before anything was heard: %v, %v", heard, err)
	}
	want := Heard{ID: "node-2/x", Boots: 3, Token: 1<<64 - 1, Term: 5, Applied: 1 << 60}
	must(t, d.WriteHeard([]Heard{want}))
	heard, err := d.Heard()
	must(t, err)
	if len(heard) != 1 || heard[0] != want {
		t.Errorf("found %+v", heard)
	}
	must(t, os.WriteFile(filepath.Join(dir, heardName), []byte("x"), fileMode))
	if _, err := d.Heard(); err == nil {
		t.Error("a damaged note was believed")
	}
	must(t, d.WriteHeard(nil))
	if _, err := d.Heard(); err != nil {
		t.Error(err)
	}
}

// An opening that is taken back counts the same the next time.
func TestUncount(t *testing.T) {
	dir := mustInit(t)
	for range 2 {
		d, err := Open(dir)
		must(t, err)
		if d.Boots() != 1 {
			t.Errorf("opening %d", d.Boots())
		}
		must(t, d.Uncount())
		must(t, d.Close())
	}
}

// The note of what was heard, byte for byte.
func TestGoldenHeard(t *testing.T) {
	got, err := encodeHeard([]Heard{{ID: "node-2/x", Boots: 3, Token: 4, Term: 5, Applied: 6}})
	must(t, err)
	want := "ballast heard 1\n" + `{"members":[{"id":"node-2/x","boots":3,"token":4,"term":5,"applied":6}]}` + "\ncrc32c "
	if !strings.HasPrefix(string(got), want) {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
}
