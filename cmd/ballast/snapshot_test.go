package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
