package transport

import (
	"context"
	"errors"
	"io"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// steps is a Stager that makes progress when it is told.
type steps struct {
	progress chan Progress
	done     chan struct{} // closed when it has ended
}

func (s *steps) Stage(ctx context.Context, _ *raft.InstallSnapshotRequest, manifest io.Reader, _ Puller, progress func(Progress)) ([]byte, error) {
	defer close(s.done)
	if _, err := io.ReadAll(manifest); err != nil {
		return nil, err
	}
	for {
		select {
		case p, more := <-s.progress:
			if !more {
				return []byte("token"), nil
			}
			progress(p)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func newSteps() *steps { return &steps{progress: make(chan Progress), done: make(chan struct{})} }

// install has a bring b up to date, and returns its error when it ends.
func install(a, b *member, snapshot []byte) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, err := offer(a, b, snapshot)
		result <- err
	}()
	return result
}

// TestProgressIsSeen: the leader knows who waits and who is at what, as the receiver reported it; afterwards nothing is
// left of it.
func TestProgressIsSeen(t *testing.T) {
	first, second := newSteps(), newSteps()
	quick := func(s Stager) func(*Config) {
		return func(c *Config) { c.Stager, c.Timeouts.InstallIdle = s, time.Second }
	}
	a, b, c := startMember(t, "a", nil), startMember(t, "b", quick(first)), startMember(t, "c", quick(second))
	snapshot := randomBytes(10)
	b.answerAll(t, restoring(t, []byte("token")))
	c.answerAll(t, restoring(t, []byte("token")))
	toB := install(a, b, snapshot)
	p := Progress{
		Phase: "pulling", PagesTotal: 100, PagesDone: 40, PagesReused: 30, BytesFromLeader: 5, BytesFromOthers: 50, BytesManifest: 10,
		ByTable: map[uint8]uint64{1: 30, 255: 25}, Source: c.id,
	}
	first.progress <- p
	toC := install(a, c, snapshot)
	eventually(t, "the report", func() bool {
		list := a.Transfers()
		return len(list) == 2 && reflect.DeepEqual(list[0].Progress, p)
	})
	list := a.Transfers()
	if s := list[0]; s.To != b.id || s.Index != 9 || s.Term != 2 || s.State != TransferStaging || s.Begun.IsZero() || s.Reported.IsZero() {
		t.Errorf("found %+v", s)
	}
	if s := list[1]; s.To != c.id || s.State != TransferWaiting || !s.Begun.IsZero() || !s.Reported.IsZero() {
		t.Errorf("found %+v", s)
	}
	close(first.progress)
	close(second.progress)
	for _, result := range []<-chan error{toB, toC} {
		if err := <-result; err != nil {
			t.Error(err)
		}
	}
	if list := a.Transfers(); len(list) != 0 {
		t.Errorf("afterwards there is still %+v", list)
	}
}

// TestStagingEnds: a leader ends a transfer whose receiver gets nowhere, when it leads no more, and when it stops; the
// receiver's staging ends with it. One that gets on slowly is not given up.
func TestStagingEnds(t *testing.T) {
	for name, c := range map[string]struct {
		act  func(*member, *atomic.Uint64, *atomic.Bool)
		want error
	}{
		"nothing moves":    {func(*member, *atomic.Uint64, *atomic.Bool) {}, errInstallIdle},
		"a newer term":     {func(_ *member, term *atomic.Uint64, _ *atomic.Bool) { term.Store(4) }, errInstallTerm},
		"it stepped down":  {func(_ *member, _ *atomic.Uint64, left *atomic.Bool) { left.Store(true) }, errInstallTerm},
		"end of the calls": {func(m *member, _ *atomic.Uint64, _ *atomic.Bool) { m.StopCalls() }, raft.ErrTransportShutdown},
	} {
		t.Run(name, func(t *testing.T) {
			var term atomic.Uint64
			var left atomic.Bool
			stager := newSteps()
			a := startMember(t, "a", func(config *Config) {
				config.CurrentTerm, config.Leading = term.Load, func(uint64) bool { return !left.Load() }
				if errors.Is(c.want, errInstallIdle) {
					config.Timeouts.InstallAnswer = 300 * time.Millisecond
				}
			})
			b := startMember(t, "b", func(config *Config) { config.Stager, config.Timeouts.InstallIdle = stager, time.Second })
			result := install(a, b, randomBytes(10))
			for i := range uint64(16) { // far longer than InstallAnswer, with progress
				stager.progress <- Progress{PagesDone: min(i, 5)} // the rest is only computing
				time.Sleep(60 * time.Millisecond)
			}
			select {
			case err := <-result:
				t.Fatalf("given up while it got on: %v", err)
			default:
			}
			c.act(a, &term, &left)
			within(t, "the end", func() {
				if err := <-result; !errors.Is(err, c.want) {
					t.Errorf("expected %v, found %v", c.want, err)
				}
				<-stager.done
			})
		})
	}
}

// TestHungReadGivesTheTurnBack: a leader's disk hangs while a snapshot is read from it; the next member does not wait for it.
func TestHungReadGivesTheTurnBack(t *testing.T) {
	snapshot := randomBytes(2 * chunkBytes)
	a := startMember(t, "a", func(c *Config) { c.Timeouts.InstallIdle = 300 * time.Millisecond })
	b, c := startMember(t, "b", nil), startMember(t, "c", nil)
	c.answerAll(t, restoring(t, snapshot))
	hung := newGate(snapshot)
	first := make(chan error, 1)
	go func() {
		first <- a.InstallSnapshot(b.id, b.address, installOf(a, 3, len(snapshot)), &raft.InstallSnapshotResponse{}, hung)
	}()
	waitReceiving(t, b)
	within(t, "the next", func() {
		if _, err := offer(a, c, snapshot); err != nil {
			t.Error(err)
		}
	})
	close(hung.open)
	if err := <-first; !errors.Is(err, errInstallIdle) {
		t.Errorf("expected %v, found %v", errInstallIdle, err)
	}
}

// TestLaterCallTakesOver: a leader that gave a call up, of which the receiver does not know, makes another.
func TestLaterCallTakesOver(t *testing.T) {
	snapshot := randomBytes(2 * chunkBytes)
	a, b := startMember(t, "a", func(c *Config) { c.MaxTransfers = 2 }), startMember(t, "b", nil)
	b.answerAll(t, restoring(t, snapshot))
	hung := newGate(snapshot)
	first := make(chan error, 1)
	go func() {
		first <- a.InstallSnapshot(b.id, b.address, installOf(a, 3, len(snapshot)), &raft.InstallSnapshotResponse{}, hung)
	}()
	waitReceiving(t, b)
	within(t, "the later call", func() {
		if _, err := offer(a, b, snapshot); err != nil {
			t.Error(err)
		}
	})
	close(hung.open)
	if <-first == nil {
		t.Error("both ended well")
	}
}

// TestLogIsPinned: the log that follows a snapshot is kept from the moment that it is sent until a while after, not while
// it waits for its turn; a later one for the same member replaces it, and Close lets all go.
func TestLogIsPinned(t *testing.T) {
	var pinned, all atomic.Int32
	snapshot := randomBytes(10)
	a := startMember(t, "a", func(c *Config) {
		c.PinLog = func(index uint64) func() {
			if index != 9 {
				t.Errorf("pinned at %d, want 9", index)
			}
			all.Add(1)
			pinned.Add(1)
			return func() { pinned.Add(-1) }
		}
	})
	b := startMember(t, "b", nil)
	b.answerAll(t, restoring(t, snapshot))
	other := a.turns.enter(ordinary, nil)
	result := install(a, b, snapshot)
	eventually(t, "the wait", func() bool { return len(a.Transfers()) == 1 })
	if pinned.Load() != 0 {
		t.Error("pinned while it waits")
	}
	a.turns.leave(other)
	for range 3 {
		if err := <-result; err != nil {
			t.Error(err)
		}
		if pinned.Load() != 1 {
			t.Errorf("%d pins after a transfer, want one", pinned.Load())
		}
		result = install(a, b, snapshot)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
	a.stop()
	if pinned.Load() != 0 || all.Load() != 4 {
		t.Errorf("after Close %d of %d pins are left", pinned.Load(), all.Load())
	}
	after := pins{}
	after.keep("b", func() { pinned.Add(1) }, time.Millisecond)
	eventually(t, "the end of a pin", func() bool { return pinned.Load() == 1 })
	after.close()
}

// FuzzProgress: whatever a member reports, what is shown of it is bounded and travels as it is.
func FuzzProgress(f *testing.F) {
	seed, err := proto.Marshal(progressToWire(Progress{Phase: "pulling", PagesTotal: 9, ByTable: map[uint8]uint64{3: 4}, Source: "b/x"}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m raftv1.InstallSnapshotProgress
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		p := progressFromWire(&m)
		if len(p.Phase) > maxPhaseBytes || len(p.ByTable) > 256 || len(p.Source) > maxNameBytes+1+uuidTextBytes {
			t.Errorf("%+v", p)
		}
		if again := progressFromWire(progressToWire(p)); !reflect.DeepEqual(again, p) {
			t.Errorf("%+v became %+v", p, again)
		}
	})
}

// FuzzConfiguration: whatever stands for a configuration in an offer, the receiver does not fall over it.
func FuzzConfiguration(f *testing.F) {
	f.Add(raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "b"}}}))
	f.Add([]byte{0xff, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeConfiguration(&raft.InstallSnapshotRequest{Configuration: b})
		if err == nil {
			_ = sourcesOf(c, "a", "b")
		}
	})
}
