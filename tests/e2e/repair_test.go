package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/internal/testcluster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// TestDamagedSnapshotIsRepairedFromAnother: whatever of a follower's newest snapshot is damaged while it is stopped, it says
// so when it starts, takes in a newer one from the others before it takes part, and has what they have.
func TestDamagedSnapshotIsRepairedFromAnother(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	m := b.followers()[0]
	for _, damage := range []struct {
		name  string
		newer bool // the others take another one meanwhile
		do    func(t *testing.T, manifest, pack string)
	}{
		{"pages", false, func(t *testing.T, _, pack string) { flip(t, pack, 64, 1024) }},
		{"a pack's header", true, func(t *testing.T, _, pack string) { flip(t, pack, 0, 1<<30) }},
		{"a pack lost", false, func(t *testing.T, _, pack string) { must(t, os.Remove(pack)) }},
		{"the manifest", true, func(t *testing.T, manifest, _ string) { flip(t, manifest, 50, 1<<30) }},
	} {
		t.Run(damage.name, func(t *testing.T) {
			b.takeSnapshots()
			must(t, m.Stop(b.ctx()))
			damage.do(t, newestFile(t, m, ".manifest"), newestFile(t, m, ".pack"))
			if damage.newer {
				b.takeSnapshots()
			}
			before := logSize(t, m)
			must(t, m.Start())
			must(t, m.WaitAnswers(b.ctx()))
			b.credit(4)
			b.checkEqual()
			b.check()
			log, err := os.ReadFile(m.LogPath())
			must(t, err)
			for _, text := range []string{"the newest snapshot is not to be used", "the newest snapshot is repaired", "is damaged"} {
				if !strings.Contains(string(log[before:]), text) {
					t.Errorf("the log of %s does not say %q", m.Name, text)
				}
			}
			// What was taken in must hold over a restart, too.
			must(t, m.Kill())
			must(t, m.Start())
			must(t, m.WaitAnswers(b.ctx()))
			b.checkEqual()
		})
	}
}

// TestLostSnapshotsAreRepairedFromAnother: all snapshots of a follower are gone, and the beginning of its log was deleted long ago: it
// does not start with a gap, nor does it have to be given up.
func TestLostSnapshotsAreRepairedFromAnother(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	m := b.followers()[0]
	retention, weight := uint64(1<<20), uint64(16<<10)
	_, err := b.client.Operator().SetSettings(b.ctx(), &ballastv1.Settings{
		LogRetentionBytes: &retention, LogRetentionTime: durationpb.New(time.Second), SnapshotMinLogBytes: &weight,
	})
	must(t, err)
	must(t, testcluster.Until(b.ctx(), "the beginning of the log is deleted", func(ctx context.Context) error {
		b.bulk(10, 1000)
		s, err := m.Status(ctx)
		if err == nil && s.GetLog().GetFirstIndex() < 3 {
			err = errors.New("it is still there")
		}
		return err
	}))
	must(t, m.Stop(b.ctx()))
	snapshots, err := filepath.Glob(filepath.Join(m.DataDir(), "snapshots", "*"))
	must(t, err)
	for _, path := range snapshots {
		must(t, os.Remove(path))
	}
	must(t, m.Start())
	must(t, m.WaitAnswers(b.ctx()))
	b.saysSoon(m, "the newest snapshot is repaired")
	b.credit(4)
	b.checkEqual()
	b.check()
}

// TestDamagedSnapshotAndNobodyThere: with all others away it serves nothing and says what it waits for; and goes on when one is
// back.
func TestDamagedSnapshotAndNobodyThere(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	m := b.followers()[0]
	b.takeSnapshots()
	must(t, m.Stop(b.ctx()))
	must(t, b.cluster.StopAll(b.ctx()))
	flip(t, newestFile(t, m, ".manifest"), 50, 1<<30)
	must(t, m.Start())
	b.saysSoon(m, "no snapshot was had from another member; it is tried again")
	if _, err := m.Status(b.ctx()); err == nil {
		t.Error("it answers while it has no state")
	}
	must(t, m.Stop(b.ctx())) // it can be interrupted
	must(t, b.cluster.StartAll())
	b.credit(4)
	b.checkEqual()
	b.check()
}

// takeSnapshots has every member that runs take a snapshot, after some changes.
func (b *bank) takeSnapshots() {
	b.t.Helper()
	b.bulk(10, 10)
	index, err := b.client.Operator().TakeSnapshot(b.ctx())
	must(b.t, err)
	want := fmt.Sprintf("%016x-", index)
	for _, m := range b.cluster.Members {
		if !m.Running() {
			continue
		}
		must(b.t, testcluster.Until(b.ctx(), "a snapshot of "+m.Name, func(context.Context) error {
			names, err := filepath.Glob(filepath.Join(m.DataDir(), "snapshots", want+"*.manifest"))
			if err == nil && len(names) == 0 {
				err = fmt.Errorf("there is none of index %d", index)
			}
			return err
		}))
	}
}

// newestFile is the newest of a member's snapshot files of a kind.
func newestFile(t *testing.T, m *testcluster.Member, suffix string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(m.DataDir(), "snapshots", "*"+suffix))
	must(t, err)
	if len(names) == 0 {
		t.Fatalf("%s has no %s", m.Name, suffix)
	}
	return slices.Max(names)
}

// flip changes a byte at an offset of a file, and one every step behind it.
func flip(t *testing.T, path string, from, step int) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	for at := from; at < len(data); at += step {
		data[at] ^= 0x20
	}
	must(t, os.WriteFile(path, data, 0o600))
}

func logSize(t *testing.T, m *testcluster.Member) int {
	t.Helper()
	data, err := os.ReadFile(m.LogPath())
	must(t, err)
	return len(data)
}
