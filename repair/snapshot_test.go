package repair

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/snapshots"
)

// manifestOf makes the manifest of an empty snapshot of an index.
func manifestOf(t *testing.T, index uint64) []byte {
	t.Helper()
	return manifestWith(t, index, page.Digest{index})
}

func manifestWith(t *testing.T, index uint64, digest page.Digest) []byte {
	t.Helper()
	disk := vfs.NewMem()
	if err := disk.Mkdir("/s", 0o700); err != nil {
		t.Fatal(err)
	}
	store, err := snapshots.Open(disk, "/s")
	if err != nil {
		t.Fatal(err)
	}
	w, err := store.Begin(index, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(digest, raftMeta(t)); err != nil {
		t.Fatal(err)
	}
	rs := snapshots.NewRaftStore(snapshots.RaftConfig{Store: store})
	manifest, err := rs.Manifest()
	if err := errors.Join(err, rs.Close(), store.Close()); err != nil {
		t.Fatal(err)
	}
	return manifest
}

// raftMeta is the smallest that there is: version 1, snapshot version 1, no owner's part, an empty configuration.
func raftMeta(t *testing.T) []byte {
	t.Helper()
	configuration := raft.EncodeConfiguration(raft.Configuration{})
	b := make([]byte, 24)
	b[0], b[4], b[20] = 1, 1, byte(len(configuration))
	return append(b, configuration...)
}

// scriptedMembers answer as a test says.
type scriptedMembers struct {
	manifests map[raft.ServerID]func() ([]byte, error)
	asked     []raft.ServerID
}

func (m *scriptedMembers) FetchManifest(_ context.Context, s raft.Server) ([]byte, error) {
	m.asked = append(m.asked, s.ID)
	f, ok := m.manifests[s.ID]
	if !ok {
		return nil, fmt.Errorf("%s is not reached", s.ID)
	}
	return f()
}

func (m *scriptedMembers) FetchPages(context.Context, raft.Server, uint64, uint64, []byte, func([]byte) error) error {
	return nil
}

func servers(ids ...raft.ServerID) (list []raft.Server) {
	for _, id := range ids {
		list = append(list, raft.Server{ID: id, Address: raft.ServerAddress(id)})
	}
	return list
}

// TestSnapshotTakesTheNewestThatTurnsOutGood: members that are not there, that have an older one, or offer nonsense are passed
// over; the newest is tried first; one that fails, last; and it goes on until there is one.
func TestSnapshotTakesTheNewestThatTurnsOutGood(t *testing.T) {
	give := func(index uint64) func() ([]byte, error) {
		manifest := manifestOf(t, index)
		return func() ([]byte, error) { return manifest, nil }
	}
	m := &scriptedMembers{manifests: map[raft.ServerID]func() ([]byte, error){
		"old": give(4), "good": give(8), "bad": give(9),
		"nonsense": func() ([]byte, error) { return []byte("BLSTMANI but no more"), nil },
	}}
	var tried []string
	got, err := Snapshot(t.Context(), SnapshotConfig{
		Peers: servers("away", "elsewhere", "old", "good", "nonsense", "bad"), Members: m, Least: 5, Logger: hclog.NewNullLogger(), Pause: time.Millisecond,
		Install: func(_ context.Context, manifest []byte, from snapshots.Puller, _ func(snapshots.Progress)) error {
			o, err := snapshots.ReadOffer(manifest)
			if err != nil {
				t.Error(err)
			}
			sources := from.Sources()
			last := sources[len(sources)-1]
			tried = append(tried, fmt.Sprintf("%d of %s", o.Index, last.ID))
			if !last.Leader || len(sources) != 6 {
				t.Errorf("sources %v", sources)
			}
			if o.Index == 9 {
				return errors.New("its digest is another")
			}
			return nil
		},
	})
	if err != nil || got.Index != 8 || got.Term != 3 {
		t.Errorf("took %+v, %v", got, err)
	}
	if want := []string{"9 of bad", "8 of good"}; !slices.Equal(tried, want) {
		t.Errorf("tried %q, want %q", tried, want)
	}
}

// TestSnapshotOfTheMajority: what one member says alone is not believed where a majority of all can be asked: not what is newer, and
// not what is another state at the same index. It is waited for a majority for a while, not for ever.
func TestSnapshotOfTheMajority(t *testing.T) {
	right, wrong, newer := manifestOf(t, 8), manifestWith(t, 8, page.Digest{99}), manifestOf(t, 9)
	for name, c := range map[string]struct {
		rounds [][]byte // of b, c, d in each round, nil: not reached; the last stays
		want   string
	}{
		"one is newer":            {[][]byte{newer, right, right, right}, "8 in round 1"},
		"one says something else": {[][]byte{wrong, right, right, right}, "8 in round 1"},
		"they are about to agree": {[][]byte{newer, right, right, nil, newer, newer, right, newer}, "9 in round 2"},
		"they never agree":        {[][]byte{right, wrong, newer, nil}, "9 in round 6"},
		"too few are there":       {[][]byte{newer, right, nil, nil}, "9 in round 1"},
	} {
		ids := []raft.ServerID{"b", "c", "d", "e"}
		round, m := 1, &scriptedMembers{manifests: map[raft.ServerID]func() ([]byte, error){}}
		for i, id := range ids {
			m.manifests[id] = func() ([]byte, error) {
				at := min(round-1, len(c.rounds)/len(ids)-1)*len(ids) + i
				if c.rounds[at] == nil {
					return nil, fmt.Errorf("%s is not reached", id)
				}
				return c.rounds[at], nil
			}
		}
		var got string
		_, err := Snapshot(t.Context(), SnapshotConfig{
			Peers: servers(ids...), Members: m, Logger: hclog.NewNullLogger(), Pause: time.Millisecond, Alive: func() { round++ },
			Install: func(_ context.Context, manifest []byte, _ snapshots.Puller, _ func(snapshots.Progress)) error {
				o, err := snapshots.ReadOffer(manifest)
				got = fmt.Sprintf("%d in round %d", o.Index, round)
				if o.Digest == (page.Digest{99}) {
					t.Errorf("%s: the wrong one is taken", name)
				}
				return err
			},
		})
		if err != nil || got != c.want {
			t.Errorf("%s: took %s, %v, want %s", name, got, err, c.want)
		}
	}
}

// TestSnapshotWaitsForSomebody, until it is told to end; and knows when there is nobody to wait for.
func TestSnapshotWaitsForSomebody(t *testing.T) {
	cfg := SnapshotConfig{
		Peers: servers("b", "c"), Members: &scriptedMembers{}, Logger: hclog.NewNullLogger(), Pause: time.Millisecond,
	}
	ctx, cancel := context.WithCancel(t.Context())
	rounds := 0
	cfg.Alive = func() {
		if rounds++; rounds == 3 {
			cancel()
		}
	}
	if _, err := Snapshot(ctx, cfg); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "no snapshot was had") {
		t.Errorf("ended with %v", err)
	}
	if rounds != 3 {
		t.Errorf("%d rounds", rounds)
	}
	cfg.Peers = nil
	if _, err := Snapshot(t.Context(), cfg); !errors.Is(err, ErrNobody) {
		t.Errorf("with nobody: %v", err)
	}
}
