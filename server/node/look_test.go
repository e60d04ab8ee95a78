package node

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ballastdb/ballast/datadir"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// contents are the hashes of all files of a directory.
func contents(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	found := map[string][32]byte{}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found[path] = sha256.Sum256(b)
		return err
	}))
	return found
}

// newest is the file of a pattern with the highest number: of packs that is the one whose pages are all in use. A mark may
// have come before the one that was asked for.
func newest(t *testing.T, pattern ...string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(pattern...))
	must(t, err)
	if len(found) == 0 {
		t.Fatalf("%v: found none", pattern)
	}
	return found[len(found)-1] // Glob sorts, and the names are of fixed width
}

// flip changes one bit of a file, so far from its end.
func flip(t *testing.T, path string, fromEnd int) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	b[len(b)-fromEnd] ^= 1
	must(t, os.WriteFile(path, b, 0o600))
}

func size(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return int(info.Size())
}

// What a stopped member has on its disk is looked at without a trace; each kind of damage is named with its file and what
// to do about it; a running member's directory is refused.
func TestLookAtAStoppedMember(t *testing.T) {
	c := initialised(t, "127.114.0.10")
	r := start(t, c)
	r.status(t)
	if _, err := LookAt(c.DataDir, false); !isRefused(err, datadir.Locked) {
		t.Errorf("a running member's directory: %v", err)
	}
	operator := ballastv1.NewOperatorServiceClient(r.conn)
	_, err := operator.Bootstrap(t.Context(), &ballastv1.BootstrapRequest{})
	must(t, err)
	must(t, r.submit(t, &ballastv1.Operation{Kind: &ballastv1.Operation_CreateLedger{CreateLedger: &ballastv1.CreateLedger{Name: "usd", Asset: "USD", Scale: 6}}}))
	must(t, r.submit(t, &ballastv1.Operation{Kind: &ballastv1.Operation_CreateAccount{CreateAccount: &ballastv1.CreateAccount{Account: "alice", Ledger: "usd"}}}))
	for range 5 {
		must(t, r.submit(t, &ballastv1.Operation{Kind: &ballastv1.Operation_Credit{Credit: &ballastv1.Credit{Account: "alice", Amount: 7}}}))
	}
	taken, err := operator.TakeSnapshot(t.Context(), &ballastv1.TakeSnapshotRequest{})
	must(t, err)
	s := r.status(t).GetSnapshot()
	r.end(t)

	before := contents(t, c.DataDir)
	look, err := LookAt(c.DataDir, true)
	must(t, err)
	if !look.Sound() || look.Snapshots.Index != taken.GetIndex() || look.Snapshots.Checked != look.Snapshots.Pages || look.Journal.End.Sequence == 0 || look.At.IsZero() {
		t.Errorf("a sound member: %+v, findings %v", look, look.Findings())
	}
	if s.GetIndex() != taken.GetIndex() || s.GetPages() != uint64(look.Snapshots.Pages) || s.GetBytes() != look.Snapshots.Bytes || s.GetAge() == nil {
		t.Errorf("its status said %v, its disk %+v", s, look.Snapshots.Description)
	}
	after := contents(t, c.DataDir)
	for path, sum := range before {
		if after[path] != sum {
			t.Errorf("looking changed %s", path)
		}
	}
	if len(after) != len(before) {
		t.Errorf("looking made or removed files: %d, then %d", len(before), len(after))
	}

	pack, manifest, segment := newest(t, c.DataDir, "snapshots", "*.pack"), newest(t, c.DataDir, "snapshots", "*.manifest"), newest(t, c.DataDir, "journal", "*.journal")
	for _, test := range []struct {
		name, file string
		damage     func()
		says, do   string
	}{
		{"a page", pack, func() { flip(t, pack, size(t, pack)-40) }, "of table", "takes a sound snapshot"},
		{"a pack is gone", pack, func() { must(t, os.Remove(pack)) }, "it is not there", "takes a sound snapshot"},
		{"the manifest", manifest, func() { flip(t, manifest, 40) }, "checksum", "takes a sound snapshot"},
		{"the journal", segment, func() { flip(t, segment, 40) }, "entry", "fetches these entries"},
	} {
		kept, err := os.ReadFile(test.file)
		must(t, err)
		test.damage()
		look, err := LookAt(c.DataDir, true)
		must(t, err)
		found := look.Findings()
		if len(found) == 0 || look.Sound() || found[0].File != test.file || !strings.Contains(found[0].What, test.says) || !strings.Contains(found[0].Do, test.do) {
			t.Errorf("%s: %+v", test.name, found)
		}
		must(t, os.WriteFile(test.file, kept, 0o600))
	}
	look, err = LookAt(c.DataDir, true)
	must(t, err)
	if !look.Sound() {
		t.Errorf("mended: %v", look.Findings())
	}
}

func isRefused(err error, problem datadir.Problem) bool {
	var refused *datadir.RefusedError
	return errors.As(err, &refused) && refused.Problem == problem
}
