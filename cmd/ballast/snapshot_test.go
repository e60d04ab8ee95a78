package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// TestTakingASnapshotSaysHowFarItIs, on the other stream than its result.
func TestTakingASnapshotSaysHowFarItIs(t *testing.T) {
	f, s := start(t)
	if got := s.must("snapshot", "take", "-o", "csv"); got != "index\n11\n" {
		t.Errorf("%q", got)
	}
	f.status = &ballastv1.StatusResponse{Name: "a", SnapshotWriting: &ballastv1.SnapshotWriting{Index: 2, Pages: 300, OfPages: 1000}}
	looked := make(chan struct{})
	f.looked = func() { close(looked) }
	f.awaited = func(context.Context) { <-looked }
	r := s.run("snapshot", "take", "-o", "csv", "--timeout", "1m")
	if r.code != exitDone || r.out != "index\n12\n" || !strings.Contains(r.err, "a writes the snapshot of index 2: 300 of 1000 pages, 30 %") {
		t.Errorf("%+v", r)
	}
}

// TestTakingASnapshotIsInterrupted without harm, and again takes one more.
func TestTakingASnapshotIsInterrupted(t *testing.T) {
	f, s := start(t)
	ctx, interrupt := context.WithCancel(t.Context())
	f.awaited = func(ctx context.Context) { interrupt(); <-ctx.Done() }
	var out, err bytes.Buffer
	code := run(ctx, []string{"--endpoints", s.endpoint, "snapshot", "take"}, stdio{in: strings.NewReader(""), out: &out, err: &err})
	if code == exitDone || out.Len() > 0 || !strings.Contains(err.String(), "The snapshot of index 1 goes on being written") {
		t.Errorf("exit %d\n%s%s", code, &out, &err)
	}
	f.awaited = nil
	if got := s.must("snapshot", "take", "-o", "csv"); got != "index\n12\n" {
		t.Errorf("%q", got)
	}
}

// A stopped member's disk is looked at by the ballastd that is installed, with this run's format and its words.
func TestSnapshotsOnDiskAreLookedAtByBallastd(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$@\"\necho damaged >&2\ntest \"$2\" = list || exit 78\n"
	if err := os.WriteFile(filepath.Join(dir, "ballastd"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	_, s := start(t)
	if r := s.run("status"); r.code != exitUnavailable { // the fake cluster is up
		t.Fatalf("%+v", r)
	}
	if r := s.run("snapshot", "list", "--data-dir", "/x y", "-o", "csv"); r.code != exitDone || r.out != "snapshot list --data-dir /x y -o csv\n" {
		t.Errorf("%+v", r)
	}
	if r := s.run("snapshot", "verify", "--data-dir", "/x"); r.code != exitFailed || r.out != "snapshot verify --data-dir /x -o table\n" || r.err != "damaged\n" {
		t.Errorf("%+v", r)
	}
	if r := s.run("snapshot", "inspect"); r.code != exitUsage || !strings.Contains(r.err, "--data-dir is missing") {
		t.Errorf("%+v", r)
	}
}
