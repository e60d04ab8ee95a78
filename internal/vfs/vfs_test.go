package vfs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// both runs a test on the real file system and on its twin: they must behave alike.
func both(t *testing.T, f func(t *testing.T, fsys FS, dir string)) {
	t.Run("os", func(t *testing.T) { f(t, OS{}, t.TempDir()) })
	t.Run("mem", func(t *testing.T) { f(t, NewMem(), "/") })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, fsys FS, name, data string) File {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	must(t, err)
	_, err = f.Write([]byte(data))
	must(t, err)
	return f
}

func TestBothBehaveAlike(t *testing.T) {
	both(t, func(t *testing.T, fsys FS, dir string) {
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		f := create(t, fsys, a, "hello")
		if _, err := f.WriteAt([]byte("XY"), 7); err != nil {
			t.Fatal(err)
		}
		must(t, f.WriteBack(0, 5))
		must(t, f.Sync())
		must(t, f.Close())
		if err := f.WriteBack(0, 5); err == nil && dir != "/" {
			t.Fatal("what is closed is written back")
		}
		got, err := ReadFile(fsys, a, 100)
		must(t, err)
		if string(got) != "hello\x00\x00XY" {
			t.Fatalf("%q", got)
		}
		if _, err := ReadFile(fsys, a, 3); !errors.Is(err, syscall.EFBIG) {
			t.Fatalf("a file over the limit: %v", err)
		}
		must(t, fsys.Rename(a, b))
		if _, err := fsys.OpenFile(a, os.O_RDONLY, 0); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("the old name: %v", err)
		}
		if _, err := fsys.OpenFile(b, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); !errors.Is(err, fs.ErrExist) {
			t.Fatalf("exclusive create: %v", err)
		}
		must(t, fsys.Mkdir(filepath.Join(dir, "c"), 0o700))
		if err := fsys.Mkdir(filepath.Join(dir, "c"), 0o700); !errors.Is(err, fs.ErrExist) {
			t.Fatalf("second mkdir: %v", err)
		}
		if _, err := fsys.OpenFile(filepath.Join(dir, "no", "x"), os.O_WRONLY|os.O_CREATE, 0o600); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("create without a directory: %v", err)
		}
		names, err := fsys.ReadDir(dir)
		must(t, err)
		if len(names) != 2 || names[0] != "b" || names[1] != "c" {
			t.Fatalf("%q", names)
		}
		g, err := fsys.OpenFile(b, os.O_RDWR|os.O_APPEND, 0)
		must(t, err)
		must(t, g.Truncate(2))
		_, err = g.Write([]byte("!"))
		must(t, err)
		must(t, g.Close())
		if got, _ := ReadFile(fsys, b, 100); string(got) != "he!" {
			t.Fatalf("%q", got)
		}
		must(t, WriteFile(fsys, b, []byte("new"), 0o600))
		if got, _ := ReadFile(fsys, b, 100); string(got) != "new" {
			t.Fatalf("%q", got)
		}
		must(t, fsys.Remove(b))
		must(t, fsys.SyncDir(dir))
	})
}

// TestCrashLosesWhatWasNotSynced shows over many seeds that everything synced survives, and that each thing that was
// not can both survive and be lost.
func TestCrashLosesWhatWasNotSynced(t *testing.T) {
	m := NewMem()
	f := create(t, m, "/synced", "kept")
	must(t, f.Sync())
	must(t, m.SyncDir("/"))
	_, err := f.WriteAt(bytes.Repeat([]byte{'n'}, 2048), 4)
	must(t, err)
	create(t, m, "/unsynced-name", "x")
	seen := map[string]bool{}
	for seed := range uint64(200) {
		after := m.Crash(seed)
		got := after.Bytes("/synced")
		if !bytes.HasPrefix(got, []byte("kept")) {
			t.Fatalf("seed %d lost what was synced: %q", seed, got)
		}
		n := bytes.Count(got, []byte("n"))
		seen["write lost"] = seen["write lost"] || n == 0
		seen["write kept"] = seen["write kept"] || n == 2048
		seen["write torn"] = seen["write torn"] || (n > 0 && n < 2048)
		named := after.Bytes("/unsynced-name") != nil
		seen["name kept"] = seen["name kept"] || named
		if b := after.live["/unsynced-name"]; b == nil {
			seen["name lost"] = true
		}
	}
	for _, what := range []string{"write lost", "write kept", "write torn", "name kept", "name lost"} {
		if !seen[what] {
			t.Errorf("in 200 crashes never seen: %s", what)
		}
	}
}

func TestRenameIsAtomicInACrash(t *testing.T) {
	m := NewMem()
	must(t, WriteFile(m, "/f", []byte("old"), 0o600))
	m.Inject(func(op Op) Fault {
		if op.Kind == OpRename {
			return PowerCut
		}
		return None
	})
	if err := WriteFile(m, "/f", []byte("new"), 0o600); !errors.Is(err, ErrPowerCut) {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for seed := range uint64(50) {
		seen[string(m.Crash(seed).Bytes("/f"))]++
	}
	if len(seen) != 2 || seen["old"] == 0 || seen["new"] == 0 {
		t.Fatalf("after a crash behind the rename: %v", seen)
	}
}

// TestWriteBackMakesNothingDurable, and one that fails may lose what was written before it.
func TestWriteBackMakesNothingDurable(t *testing.T) {
	m := NewMem()
	f := create(t, m, "/f", "one")
	must(t, m.SyncDir("/"))
	must(t, f.WriteBack(0, 3))
	lost := 0
	for seed := range uint64(20) {
		if len(m.Crash(seed).Bytes("/f")) == 0 {
			lost++
		}
	}
	if lost == 0 {
		t.Error("what was only written back always survives")
	}
	m.Inject(func(op Op) Fault {
		if op.Kind == OpWriteBack {
			return Fail
		}
		return None
	})
	if err := f.WriteBack(0, 3); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	must(t, f.Sync()) // falsely succeeds
	if b := m.Crash(1).Bytes("/f"); len(b) != 0 {
		t.Errorf("what was written before a failed write-back survived: %q", b)
	}
}

func TestInjectedFaults(t *testing.T) {
	m := NewMem()
	f := create(t, m, "/f", "one")
	must(t, m.SyncDir("/"))
	fault := Fail
	m.Inject(func(Op) Fault { return fault })
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	fault = None
	must(t, f.Sync()) // falsely succeeds
	for seed := range uint64(20) {
		if b := m.Crash(seed).Bytes("/f"); len(b) != 0 {
			t.Fatalf("what was written before a failed sync survived: %q", b)
		}
	}
	fault = FailPersisted
	if _, err := f.Write([]byte("two")); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	if string(m.Bytes("/f")) != "onetwo" {
		t.Fatalf("%q", m.Bytes("/f"))
	}
	fault = PowerCut
	if err := f.Sync(); !errors.Is(err, ErrPowerCut) {
		t.Fatal(err)
	}
	fault = None
	if err := m.SyncDir("/"); !errors.Is(err, ErrPowerCut) {
		t.Fatalf("a call after the power cut: %v", err)
	}
}
