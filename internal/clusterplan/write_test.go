package clusterplan

import (
	"crypto/sha256"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/internal/tlsauth"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func three(out string) Options {
	return Options{Name: "acme", Hosts: []string{"10.0.0.1", "node-2.example", "fd00::3"}, Out: out}
}

// hashes are the hashes of all files below a directory, and their modes.
func hashes(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	found := map[string][32]byte{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		found[path] = sha256.Sum256(append(b, info.Mode().String()...))
		return err
	}))
	return found
}

// Each host gets a configuration that ballastd takes, with its own addresses, and a certificate in its own name that is for them.
func TestWrite(t *testing.T) {
	out := t.TempDir()
	p, err := Write(three(out))
	must(t, err)
	for i, want := range []struct{ name, client, dial string }{
		{"acme-1", "10.0.0.1:7401", "10.0.0.1"}, {"acme-2", "node-2.example:7401", "node-2.example"}, {"acme-3", "[fd00::3]:7401", "fd00::3"},
	} {
		dir := filepath.Join(out, want.name)
		loaded, err := config.Load(config.Input{File: filepath.Join(dir, "ballastd.toml"), LookupEnv: func(string) (string, bool) { return "", false }})
		must(t, err)
		if loaded.ClientAddress != want.client || !strings.HasPrefix(loaded.TLSKey, "/etc/ballast/") {
			t.Errorf("%s: %+v", want.name, loaded.Config)
		}
		store, err := tlsauth.Open(tlsauth.Files{
			CA: filepath.Join(dir, "ca.crt"), Certificate: filepath.Join(dir, "member.crt"), Key: filepath.Join(dir, "member.key"),
		}, nil)
		must(t, err)
		if id := store.Identity(); id != (tlsauth.Identity{Cluster: p.ClusterID, Role: tlsauth.Member, Name: want.name}) {
			t.Errorf("%s has the certificate of %v", want.name, id)
		}
		for j, other := range p.Hosts {
			if err := store.Certificate().VerifyHostname(other); (err == nil) != (i == j) {
				t.Errorf("the certificate of %s at %s: %v", want.name, other, err)
			}
		}
		readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
		must(t, err)
		if !strings.Contains(string(readme), p.ClusterID.String()) {
			t.Errorf("the README of %s does not name the cluster", want.name)
		}
	}
}

// A second run changes nothing, makes what is missing, and leaves alone what was edited.
func TestWriteAgain(t *testing.T) {
	out := t.TempDir()
	p, err := Write(three(out))
	must(t, err)
	edited := filepath.Join(out, "acme-1", "ballastd.toml")
	must(t, os.WriteFile(edited, []byte("# mine\n"), 0o600))
	before := hashes(t, out)
	again, err := Write(three(out))
	must(t, err)
	if again.ClusterID != p.ClusterID {
		t.Error("a second run makes another cluster")
	}
	for path, sum := range hashes(t, out) {
		if before[path] != sum {
			t.Errorf("a second run changed %s", path)
		}
	}
	// Every file that may be missing, one at a time; a certificate that is gone is made anew with its key.
	for path := range before {
		if strings.Contains(path, "authority") || filepath.Base(path) == "plan.json" || filepath.Ext(path) == ".key" {
			continue
		}
		must(t, os.Remove(path))
		if filepath.Ext(path) == ".crt" && filepath.Base(path) != "ca.crt" {
			if _, err := Write(three(out)); err == nil {
				t.Fatalf("a key without its certificate, %s, was taken for granted", path)
			}
			must(t, os.Remove(strings.TrimSuffix(path, ".crt")+".key"))
		}
		_, err := Write(three(out))
		must(t, err)
		if _, err := os.Stat(path); err != nil {
			t.Errorf("a second run does not make %s: %v", path, err)
		}
	}
}

// The README beside the authority is made by whichever run finds it missing.
func TestAuthorityIsExplained(t *testing.T) {
	out := t.TempDir()
	_, err := Write(three(out))
	must(t, err)
	readme := filepath.Join(out, "authority", "README.md")
	must(t, os.Remove(readme))
	if _, err := Write(three(out)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(readme); err != nil {
		t.Error(err)
	}
}
