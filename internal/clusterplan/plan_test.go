package clusterplan

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func plan(out string, hosts ...string) Options {
	return Options{Name: "bank", Hosts: hosts, Out: out}
}

// A host that cannot be one is refused before anything is written: what is written down once is kept, and the plan could not be
// made again with the right one.
func TestHostsAreCheckedBeforeAnythingIsWritten(t *testing.T) {
	for _, hosts := range [][]string{
		{},
		{""},
		{"10.0.0.1", "10.0.0.1"},
		{"10.0.0.1", " 10.0.0.2"},
		{"10.0.0.1:7401"},
		{"a b"},
		{"a/b"},
		{`a"b`},
		{`a\b`},
		{"a\nb"},
		{"NODE", "node"},
		{"::1", "0:0::1"},
		{strings.Repeat("a", 254)},
		strings.Fields("a b c d e f g h i j"),
	} {
		out := filepath.Join(t.TempDir(), "plan")
		if _, err := Write(plan(out, hosts...)); err == nil {
			t.Errorf("%q: planned", hosts)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%q: something was written", hosts)
		}
	}
}

// A second run makes what is missing and changes nothing that is there; another plan is refused.
func TestPlanIsKept(t *testing.T) {
	out := filepath.Join(t.TempDir(), "plan")
	hosts := []string{"10.0.0.1", "::1", "db.example.org"}
	first, err := Write(plan(out, hosts...))
	if err != nil {
		t.Fatal(err)
	}
	before := files(t, out)
	lost := filepath.Join(out, "bank-2", "ballastd.toml")
	if err := os.Remove(lost); err != nil {
		t.Fatal(err)
	}
	again, err := Write(plan(out, hosts...))
	if err != nil || again.ClusterID != first.ClusterID {
		t.Fatalf("%+v, %v; want the plan of the first run", again, err)
	}
	after := files(t, out)
	if len(before) != len(after) {
		t.Errorf("%d files, before %d", len(after), len(before))
	}
	for name, content := range before {
		if after[name] != content {
			t.Errorf("%s has changed", name)
		}
	}
	if _, err := Write(plan(out, hosts[:2]...)); err == nil {
		t.Error("another plan was written over the first")
	}
}

// Keys are for their owner alone.
func TestKeysAreForTheirOwner(t *testing.T) {
	out := filepath.Join(t.TempDir(), "plan")
	if _, err := Write(plan(out, "10.0.0.1")); err != nil {
		t.Fatal(err)
	}
	for name := range files(t, out) {
		info, err := os.Stat(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".key") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
