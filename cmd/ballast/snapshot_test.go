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
}

// TestSnapshotsOfMembersAreInspected: what a member has, and what of it is damaged, with the exit code for it.
func TestSnapshotsOfMembersAreInspected(t *testing.T) {
	f, s := start(t)
	if r := s.run("snapshot", "inspect"); r.code != exitUnavailable || !strings.Contains(r.err, "no member answers") {
		t.Errorf("%+v", r)
	}
	f.status = &ballastv1.StatusResponse{Name: "a"}
	f.report = &ballastv1.SnapshotReport{
		Member: "a", Snapshot: &ballastv1.SnapshotStatus{Index: 9, Term: 2, Pages: 3, Bytes: 300}, Digest: "d", JournalEntries: 4, JournalBytes: 500,
		Tables: []*ballastv1.SnapshotTable{{Table: 3, Pages: 3, Bytes: 300, NewestIndex: 8, RecordBytes: 128}},
		Packs:  []*ballastv1.SnapshotPack{{Pack: 1, Length: 324, Pages: 3, Bytes: 300}},
	}
	if got := s.must("snapshot", "inspect", "a", "-o", "csv"); got != "what,number,pages,bytes,length,record_bytes,newest_index\ntable,3,3,300,,128,8\npack,1,3,300,324,,\n" {
		t.Errorf("%q", got)
	}
	if r := s.run("snapshot", "inspect", "b"); r.code != exitUnavailable || !strings.Contains(r.err, `expected member "b"`) {
		t.Errorf("%+v", r)
	}
	if r := s.run("snapshot", "inspect", "a", "--data-dir", "/x"); r.code != exitUsage {
		t.Errorf("%+v", r)
	}
	if r := s.run("snapshot", "verify"); r.code != exitDone || !strings.Contains(r.err, "all of it is sound") {
		t.Errorf("%+v", r)
	}
	f.report.Findings = []*ballastv1.SnapshotFinding{{File: "1.pack", What: "page 2 of table 3: hash", Do: "nothing"}}
	r := s.run("snapshot", "verify", "-o", "csv")
	if r.code != exitFailed || r.out != "member,file,damage,what_to_do\na,1.pack,page 2 of table 3: hash,nothing\n" || !strings.Contains(r.err, "findings: 1") {
		t.Errorf("%+v", r)
	}
}
