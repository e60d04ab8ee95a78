package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// shelf serves what it is asked for: want by want, as many bytes of items as the want says, each with its letter.
type shelf struct {
	manifest []byte
	serving  atomic.Int32
	most     atomic.Int32
	goOn     chan struct{} // nil: at once
}

func (s *shelf) ServePages(ctx context.Context, index, term uint64, wants []byte, send func([]byte) error) error {
	now := s.serving.Add(1)
	defer s.serving.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	if s.goOn != nil {
		select {
		case <-s.goOn:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if index != 9 || term != 2 {
		return fmt.Errorf("snapshot of index %d, term %d: %w", index, term, ErrNotHere)
	}
	items := make([]byte, maxItemsBytes) // used again for each
	for _, want := range wants {
		for i := range items {
			items[i] = want
		}
		if err := send(items); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) Manifest() ([]byte, error) { return s.manifest, nil }

// shortJournal has 1000 entries of one byte, and lacks those from 500 to 599.
type shortJournal struct{}

func (shortJournal) ReadJournal(after uint64, maxBytes int) ([]byte, error) {
	next := after + 1
	switch {
	case next >= 500 && next < 600:
		return nil, fmt.Errorf("entries 500 to 599: %w", ErrNotHere)
	case next > 1000:
		return nil, nil
	}
	n := min(uint64(max(maxBytes, 1)), 1001-next)
	return bytes.Repeat([]byte{'e'}, int(n)), nil
}

// serverOf is m as configurations have it.
func serverOf(m *member) raft.Server { return raft.Server{ID: m.id, Address: m.address} }

// offerOf is an offer with a configuration of these members.
func offerOf(from *member, members ...*member) *raft.InstallSnapshotRequest {
	r := installOf(from, 3, 0)
	var c raft.Configuration
	for _, m := range members {
		c.Servers = append(c.Servers, serverOf(m))
	}
	r.Configuration = raft.EncodeConfiguration(c)
	return r
}

// TestFetch: pages, manifest and journal come as they were served, and what is not there is said.
func TestFetch(t *testing.T) {
	have := &shelf{manifest: randomBytes(3*chunkBytes + 5)}
	a := startMember(t, "a", nil)
	b := startMember(t, "b", func(c *Config) { c.Pages, c.Journal = have, shortJournal{} })

	var got []byte
	pull := func(index uint64, wants string) error {
		got = nil
		return a.FetchPages(t.Context(), serverOf(b), index, 2, []byte(wants), func(items []byte) error {
			got = append(got, items[0], items[len(items)-1])
			return nil
		})
	}
	if err := pull(9, "xyz"); err != nil || string(got) != "xxyyzz" {
		t.Errorf("pulled %q, %v", got, err)
	}
	if err := pull(8, "xyz"); !errors.Is(err, ErrNotHere) {
		t.Errorf("pages of a snapshot that is not there: %v", err)
	}
	if err := pull(9, strings.Repeat("x", MaxWantsBytes+1)); err == nil {
		t.Error("wants without bound are sent")
	}
	full := errors.New("disk full")
	if err := a.FetchPages(t.Context(), serverOf(b), 9, 2, []byte("xyz"), func([]byte) error { return full }); !errors.Is(err, full) {
		t.Errorf("expected the error of the one who takes, found %v", err)
	}

	if manifest, err := a.FetchManifest(t.Context(), serverOf(b)); err != nil || !bytes.Equal(manifest, have.manifest) {
		t.Errorf("a manifest of %d bytes, %v", len(manifest), err)
	}
	if _, err := b.FetchManifest(t.Context(), serverOf(a)); !errors.Is(err, ErrNotHere) {
		t.Errorf("the manifest of a member that serves none: %v", err)
	}
	have.manifest = nil
	if _, err := a.FetchManifest(t.Context(), serverOf(b)); !errors.Is(err, ErrNotHere) {
		t.Errorf("the manifest of a member without a snapshot: %v", err)
	}

	for after, want := range map[uint64]int{0: 10, 990: 10, 995: 5, 1000: 0} {
		if entries, err := a.FetchJournal(t.Context(), serverOf(b), after, 10); err != nil || len(entries) != want {
			t.Errorf("after %d came %d entries, %v; want %d", after, len(entries), err, want)
		}
	}
	if _, err := a.FetchJournal(t.Context(), serverOf(b), 520, 10); !errors.Is(err, ErrNotHere) {
		t.Errorf("journal from a hole: %v", err)
	}
}

// TestSources: all members of the configuration but this one, the leader last; a configuration that is none is refused.
func TestSources(t *testing.T) {
	a, b, c := startMember(t, "a", nil), startMember(t, "b", nil), startMember(t, "c", nil)
	p, err := newPuller(b.Transport, offerOf(a, a, b, c), newHurry())
	if err != nil {
		t.Fatal(err)
	}
	want := []Source{{ID: c.id, Address: c.address}, {ID: a.id, Address: a.address, Leader: true}}
	if found := p.Sources(); len(found) != 2 || found[0] != want[0] || found[1] != want[1] {
		t.Errorf("found %v, want %v", found, want)
	}
	broken := offerOf(a, a)
	broken.Configuration = broken.Configuration[:5]
	if _, err := newPuller(b.Transport, broken, newHurry()); err == nil {
		t.Error("half a configuration is taken")
	}
}

// TestSilentSourcesAreSkipped: a member that is not there costs one short wait, and nothing again for a while; the leader is
// asked each time.
func TestSilentSourcesAreSkipped(t *testing.T) {
	var dials atomic.Int32
	a := startMember(t, "a", func(c *Config) {
		c.Timeouts.Reach = 20 * time.Millisecond
		c.Dial = func(ctx context.Context, _ string) (net.Conn, error) {
			dials.Add(1)
			<-ctx.Done() // packets are lost
			return nil, ctx.Err()
		}
	})
	gone := Source{ID: ServerID("b", [16]byte{'b'}), Address: "b"}
	p, err := newPuller(a.Transport, offerOf(a, a), newHurry())
	if err != nil {
		t.Fatal(err)
	}
	pull := func(s Source) {
		t.Helper()
		within(t, "a pull", func() {
			err := p.Pull(t.Context(), s, 9, 2, nil, func([]byte) error { return nil })
			if !errors.Is(err, ErrUnreachable) {
				t.Errorf("expected %v, found %v", ErrUnreachable, err)
			}
		})
	}
	pull(gone)
	if dials.Load() != 1 || p.wasSilent(gone) == nil {
		t.Errorf("after %d dials it is not remembered", dials.Load())
	}
	pull(gone)
	gone.Leader = true
	p.silent = map[raft.ServerID]time.Time{}
	if pull(gone); p.wasSilent(gone) != nil {
		t.Error("the leader is not asked again")
	}
}

// TestServingIsBounded: as many as may are served at once; the others wait, and those beyond are refused at once.
func TestServingIsBounded(t *testing.T) {
	have := &shelf{goOn: make(chan struct{})}
	a := startMember(t, "a", nil)
	b := startMember(t, "b", func(c *Config) { c.Pages, c.Timeouts.InstallIdle = have, patience })
	results := make(chan error, maxServing+maxServeWaiting)
	pull := func() error {
		return a.FetchPages(t.Context(), serverOf(b), 9, 2, []byte("x"), func([]byte) error { return nil })
	}
	for range cap(results) {
		go func() { results <- pull() }()
	}
	eventually(t, "a full house", func() bool {
		return have.serving.Load() == maxServing && b.serving.waiting.Load() == maxServeWaiting
	})
	if err := pull(); !errors.Is(err, ErrBusy) {
		t.Errorf("one more than may wait: expected %v, found %v", ErrBusy, err)
	}
	close(have.goOn)
	within(t, "all", func() {
		for range cap(results) {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
	if most := have.most.Load(); most != maxServing {
		t.Errorf("%d were served at once, want %d", most, maxServing)
	}
}

// TestFetchesEnd: a member that serves nothing is given up, as is one that takes nothing; the end of the calls ends both.
func TestFetchesEnd(t *testing.T) {
	short := func(c *Config) { c.Timeouts.InstallIdle = 300 * time.Millisecond }
	t.Run("it serves nothing", func(t *testing.T) {
		a := startMember(t, "a", short)
		b := startMember(t, "b", func(c *Config) { c.Pages = &shelf{goOn: make(chan struct{})} })
		err := a.FetchPages(t.Context(), serverOf(b), 9, 2, []byte("x"), func([]byte) error { return nil })
		if !errors.Is(err, errFetchIdle) {
			t.Errorf("expected %v, found %v", errFetchIdle, err)
		}
		eventually(t, "the end of serving", func() bool { return len(b.serving.slots) == 0 })
	})
	t.Run("it reads nothing", func(t *testing.T) {
		a := startMember(t, "a", nil)
		b := startMember(t, "b", func(c *Config) { short(c); c.Pages = &shelf{goOn: make(chan struct{})} })
		err := a.FetchPages(t.Context(), serverOf(b), 9, 2, []byte("x"), func([]byte) error { return nil })
		if err == nil || !strings.Contains(err.Error(), errServeIdle.Error()) {
			t.Errorf("expected %v, found %v", errServeIdle, err)
		}
	})
	t.Run("it takes nothing", func(t *testing.T) {
		a, b := startMember(t, "a", nil), startMember(t, "b", func(c *Config) { short(c); c.Pages = &shelf{} })
		goOn := make(chan struct{})
		result := make(chan error, 1)
		go func() {
			result <- a.FetchPages(t.Context(), serverOf(b), 9, 2, bytes.Repeat([]byte("x"), 100), func([]byte) error { <-goOn; return nil })
		}()
		eventually(t, "a call", func() bool { return len(b.serving.slots) == 1 })
		eventually(t, "the end of serving", func() bool { return len(b.serving.slots) == 0 })
		close(goOn)
		if err := <-result; err == nil {
			t.Error("a pull of which the rest never came ended well")
		}
	})
	t.Run("the end of the calls", func(t *testing.T) {
		a, b := startMember(t, "a", nil), startMember(t, "b", func(c *Config) { c.Pages = &shelf{goOn: make(chan struct{})} })
		result := make(chan error, 1)
		go func() {
			result <- a.FetchPages(t.Context(), serverOf(b), 9, 2, []byte("x"), func([]byte) error { return nil })
		}()
		eventually(t, "a call", func() bool { return len(b.serving.slots) == 1 })
		a.StopCalls()
		within(t, "the end", func() {
			if err := <-result; !errors.Is(err, raft.ErrTransportShutdown) {
				t.Errorf("expected %v, found %v", raft.ErrTransportShutdown, err)
			}
		})
	})
}

// TestManifestsAreBounded: a member that sends more than it announces is not believed.
func TestManifestsAreBounded(t *testing.T) {
	a := startMember(t, "a", nil)
	for _, announced := range []uint64{0, 5, maxManifestBytes + 1} {
		id, address := scripted(t, "b", liar{announced: announced})
		if _, err := a.FetchManifest(t.Context(), raft.Server{ID: id, Address: address}); err == nil {
			t.Errorf("10 bytes announced as %d are taken", announced)
		}
	}
}

type liar struct {
	raftv1.UnimplementedRaftServiceServer
	announced uint64
}

func (l liar) FetchManifest(_ *raftv1.FetchManifestRequest, stream raftv1.RaftService_FetchManifestServer) error {
	return stream.Send(&raftv1.FetchManifestResponse{Size: l.announced, Chunk: make([]byte, 10)})
}
