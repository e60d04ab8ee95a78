package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpenCountsBootsAndTellsTheIdentity(t *testing.T) {
	dir := mustInit(t)
	for want := uint64(1); want <= 3; want++ {
		d, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if d.Boots() != want || d.Identity() != testIdentity() {
			t.Fatalf("boots %d, identity %+v; want %d, %+v", d.Boots(), d.Identity(), want, testIdentity())
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenRefusesAndChangesNothing(t *testing.T) {
	write := func(t *testing.T, path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), fileMode); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, path string) {
		t.Helper()
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	flip := func(t *testing.T, path string) {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		write(t, path, string(data))
	}
	tests := []struct {
		name    string
		break_  func(t *testing.T, dir string)
		problem Problem
		says    string // a part of the message that tells what to do
	}{
		{"missing", func(t *testing.T, dir string) { remove(t, dir) }, Missing, "ballastd init --data-dir"},
		{"a file", func(t *testing.T, dir string) { remove(t, dir); write(t, dir, "x") }, NotDirectory, "--data-dir"},
		{"empty", func(t *testing.T, dir string) { remove(t, dir); must(t, os.Mkdir(dir, 0o700)) }, Empty, "ballastd init"},
		{"a fresh file system", func(t *testing.T, dir string) {
			remove(t, dir)
			must(t, os.MkdirAll(filepath.Join(dir, lostFound), 0o700))
		}, Empty, "disk not mounted?"},
		{"foreign", func(t *testing.T, dir string) {
			remove(t, dir)
			must(t, os.Mkdir(dir, 0o700))
			write(t, filepath.Join(dir, "dump.rdb"), "x")
		}, Foreign, "dump.rdb"},
		{"identity lost", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, identityName)) }, Foreign, "remove it from the cluster"},
		{"identity damaged", func(t *testing.T, dir string) { flip(t, filepath.Join(dir, identityName)) }, Corrupt, "remove it from the cluster"},
		{"identity cut", func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, identityName), 20)) }, Corrupt, ""},
		{"identity empty", func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, identityName), 0)) }, Corrupt, ""},
		{"identity too large", func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, identityName), maxRecord+1)) }, Corrupt, ""},
		{"newer identity", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, identityName), string(encodeRecord("identity", FormatVersion+1, []byte("{}"))))
		}, Newer, "the version of ballastd that wrote it"},
		{"unknown field", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, identityName), string(encodeRecord("identity", FormatVersion, []byte(`{"x":1}`))))
		}, Corrupt, `unknown field "x"`},
		{"no cluster", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, identityName), string(encodeRecord("identity", FormatVersion, []byte(`{"name":"a"}`))))
		}, Corrupt, "UUID"},
		{"boot record lost", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, bootName)) }, Incomplete, "no boot"},
		{"boot record damaged", func(t *testing.T, dir string) { flip(t, filepath.Join(dir, bootName)) }, Corrupt, "boot"},
		{"log lost", func(t *testing.T, dir string) { remove(t, Layout{dir}.logs()[1]) }, Incomplete, "raft/log.db"},
		{"log emptied", func(t *testing.T, dir string) { must(t, os.Truncate(Layout{dir}.logs()[1], 0)) }, Incomplete, "raft/log.db"},
		{"snapshots lost", func(t *testing.T, dir string) { remove(t, Layout{dir}.Snapshots()) }, Incomplete, "snapshots"},
		{"journal lost", func(t *testing.T, dir string) { remove(t, Layout{dir}.Journal()) }, Incomplete, "journal"},
		{"writable by others", func(t *testing.T, dir string) { must(t, os.Chmod(dir, 0o777)) }, WrongMode, "chmod 0700"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := mustInit(t)
			tt.break_(t, dir)
			wantRefused(t, dir, tt.problem, tt.says)
		})
	}
}

func TestOpenRefusesAnotherOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory to another user")
	}
	dir := mustInit(t)
	must(t, os.Chown(dir, 12345, -1))
	wantRefused(t, dir, WrongOwner, "12345")
}

func TestOpenRefusesWhileInUse(t *testing.T) {
	dir := mustInit(t)
	d, err := Open(dir)
	must(t, err)
	wantRefused(t, dir, Locked, "stop that process")
	must(t, d.Close())
	d, err = Open(dir)
	must(t, err)
	must(t, d.Close())
}

// Init may be cut short before any of its steps: until the identity is there the directory is refused as half
// initialised, and in any case Init or Open brings it to use.
func TestInitCutShortAnywhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "count")
	steps := len(initSteps(Layout{dir}, testIdentity(), createLog))
	for cut := range steps {
		dir := filepath.Join(t.TempDir(), "data")
		layout := Layout{dir}
		must(t, prepare(dir))
		for _, step := range initSteps(layout, testIdentity(), createLog)[:cut] {
			must(t, step.do())
		}
		switch {
		case cut <= 1: // The directory is there and nothing in it.
			wantRefused(t, dir, Empty, "ballastd init")
		case cut < steps-1:
			wantRefused(t, dir, HalfInitialised, "ballastd init")
		}
		if cut < steps-1 {
			must(t, Init(dir, testIdentity(), createLog))
		} else {
			wantInitRefused(t, dir, Initialised)
		}
		d, err := Open(dir)
		if err != nil {
			t.Fatalf("cut before step %d: %v", cut, err)
		}
		if _, err := os.Stat(layout.marker()); !os.IsNotExist(err) {
			t.Fatalf("cut before step %d: the mark is still there: %v", cut, err)
		}
		must(t, d.Close())
	}
}

func TestInitWhoseStoresCannotBeMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := Init(dir, testIdentity(), func(Layout) error { return errCut }); !errors.Is(err, errCut) {
		t.Fatalf("got %v, want %v", err, errCut)
	}
	wantRefused(t, dir, HalfInitialised, "ballastd init")
}

func TestInitRefusesWhatItDidNotMake(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "precious"), []byte("x"), 0o600))
	wantInitRefused(t, dir, Foreign)

	dir = mustInit(t)
	wantInitRefused(t, dir, Initialised)
	d, err := Open(dir)
	must(t, err)
	wantInitRefused(t, dir, Locked)
	must(t, d.Close())
}

func TestInitTakesAnEmptyDirectoryAndNarrowsItsMode(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	must(t, Init(dir, testIdentity(), createLog))
	d, err := Open(dir)
	must(t, err)
	must(t, d.Close())
}

func TestInitRefusesBadIdentities(t *testing.T) {
	for _, name := range []string{"", "-a", ".", "A", "a/b", "a b", "a\n", strings.Repeat("a", MaxNameLen+1)} {
		id := testIdentity()
		id.Name = name
		dir := filepath.Join(t.TempDir(), "data")
		if err := Init(dir, id, createLog); err == nil {
			t.Errorf("name %q was accepted", name)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("name %q: the directory was made", name)
		}
	}
}

func wantRefused(t *testing.T, dir string, problem Problem, says string) {
	t.Helper()
	before := tree(t, dir)
	d, err := Open(dir)
	if err == nil {
		must(t, d.Close())
	}
	wantProblem(t, err, problem, says)
	if after := tree(t, dir); after != before {
		t.Fatalf("a refused directory was changed from\n%s\nto\n%s", before, after)
	}
}

func wantInitRefused(t *testing.T, dir string, problem Problem) {
	t.Helper()
	before := tree(t, dir)
	wantProblem(t, Init(dir, testIdentity(), createLog), problem, "")
	if after := tree(t, dir); after != before {
		t.Fatalf("a refused directory was changed from\n%s\nto\n%s", before, after)
	}
}

func wantProblem(t *testing.T, err error, problem Problem, says string) {
	t.Helper()
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Problem != problem {
		t.Fatalf("got %v, want problem %q", err, problem)
	}
	if refused.Expected == "" || refused.Found == "" || refused.Remedy == "" || !strings.Contains(err.Error(), says) {
		t.Fatalf("the message is not helpful (want %q in it): %v", says, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
