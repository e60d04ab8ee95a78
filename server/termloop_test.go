package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/roster"
)

// fakeDuties records what a leader did; fail makes the next one fail.
type fakeDuties struct {
	mu   sync.Mutex
	did  []string
	fail error
	done chan string // if set, gets each
}

func (d *fakeDuties) do(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.fail; err != nil {
		d.fail = nil
		return err
	}
	d.did = append(d.did, what)
	if d.done != nil {
		d.done <- what
	}
	return nil
}

func (d *fakeDuties) Marker(_ context.Context, term uint64) error {
	return d.do(fmt.Sprintf("marker %d", term))
}

func (d *fakeDuties) Announce(_ context.Context, m roster.Member) error {
	return d.do("announce " + m.ClientAddress)
}
func (d *fakeDuties) Checkpoint(context.Context) error { return d.do("checkpoint") }
func (d *fakeDuties) Tick(context.Context) error       { return d.do("tick") }

func TestDutiesOfALeader(t *testing.T) {
	r, d := newFakeRaft(), &fakeDuties{}
	self := roster.Member{ID: "a", MemberAddress: "m:1", ClientAddress: "c:1"}
	announced := map[string]roster.Member{}
	applied, covered := uint64(10), false
	l := NewTermLoop(TermLoopConfig{
		Clock: setClock{}, LogTime: noLogTime,
		Raft: r, Duties: d, Self: self, Logger: hclog.NewNullLogger(), Quiet: time.Second,
		Announced: func(id string) (roster.Member, bool) { m, ok := announced[id]; return m, ok },
		Applied:   func() (uint64, uint64) { return applied, 5 },
		Covered:   func() bool { return covered },
	})
	now := time.Unix(1000, 0)
	step := func(after time.Duration, want string) {
		t.Helper()
		now = now.Add(after)
		d.did = nil
		l.step(testContext(t), now)
		if got := fmt.Sprint(d.did); got != want {
			t.Errorf("at %s the leader did %s, want %s", now, got, want)
		}
	}
	r.with(func(r *fakeRaft) { r.state = raft.Follower })
	step(0, "[]")
	r.with(func(r *fakeRaft) { r.state = raft.Leader })
	d.fail = errors.New("not now")
	step(0, "[]")
	step(0, "[marker 5 announce c:1]") // tried again
	announced["a"] = self
	step(0, "[]")
	// A checkpoint once nothing was applied for a second, not while something is, not where the last covers all.
	step(900*time.Millisecond, "[]")
	applied = 11
	step(200*time.Millisecond, "[]")
	step(900*time.Millisecond, "[]")
	step(200*time.Millisecond, "[checkpoint]")
	covered = true
	step(time.Hour, "[]")
	// Addresses that changed since, and another term.
	announced["a"] = roster.Member{ID: "a", MemberAddress: "m:1", ClientAddress: "old:1"}
	step(0, "[announce c:1]")
	announced["a"] = self
	r.with(func(r *fakeRaft) { r.term = 7 })
	step(0, "[marker 7]")
}

// What is due is ticked away, a bounded number of ticks at a time, and by a leader only.
func TestLeaderTicks(t *testing.T) {
	r, d := newFakeRaft(), &fakeDuties{}
	self, due := roster.Member{ID: "a"}, []int64{-3, -2, -1, 60_000_000_000}
	l := NewTermLoop(TermLoopConfig{
		Clock: setClock{}, LogTime: noLogTime, Raft: r, Duties: d, Self: self, Logger: hclog.NewNullLogger(),
		Announced: func(string) (roster.Member, bool) { return self, true },
		Applied:   func() (uint64, uint64) { return 1, 5 },
		Covered:   func() bool { return true },
		NextDue: func() (int64, bool) {
			done := 0
			for _, what := range d.did {
				if what == "tick" {
					done++
				}
			}
			if done >= len(due) {
				return 0, false
			}
			return setClock{}.Now().UnixNano() + due[done], true
		},
	})
	r.with(func(r *fakeRaft) { r.state = raft.Follower })
	l.step(testContext(t), time.Unix(1000, 0))
	r.with(func(r *fakeRaft) { r.state = raft.Leader })
	l.step(testContext(t), time.Unix(1000, 0))
	if got := fmt.Sprint(d.did); got != "[marker 5 tick tick tick]" {
		t.Errorf("the leader did %s", got)
	}
	due, d.did = slices.Repeat([]int64{-1}, 100), nil
	l.step(testContext(t), time.Unix(1000, 0))
	if len(d.did) != ticksPerStep {
		t.Errorf("%d ticks in one step, want %d", len(d.did), ticksPerStep)
	}
}

func TestTermLoopMarksWhenElected(t *testing.T) {
	r, d := newFakeRaft(), &fakeDuties{done: make(chan string, 10)}
	r.with(func(r *fakeRaft) { r.state = raft.Follower })
	elected := make(chan bool, 1)
	self := roster.Member{ID: "a"}
	l := NewTermLoop(TermLoopConfig{
		Clock: setClock{}, LogTime: noLogTime,
		Raft: r, Duties: d, Self: self, Logger: hclog.NewNullLogger(), Elected: elected, Tick: time.Hour,
		Announced: func(string) (roster.Member, bool) { return self, true },
		Applied:   func() (uint64, uint64) { return 1, 5 },
		Covered:   func() bool { return true },
	})
	ctx, cancel := context.WithCancel(testContext(t))
	var loop sync.WaitGroup
	defer loop.Wait()
	defer cancel()
	loop.Go(func() { l.Run(ctx) })
	r.with(func(r *fakeRaft) { r.state = raft.Leader })
	elected <- true
	if err := l.Marked(ctx, 5); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, "the marker", d.done); got != "marker 5" {
		t.Errorf("the leader did %s first", got)
	}
	gone, stop := context.WithCancel(ctx)
	stop()
	if err := l.Marked(gone, 6); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a term that is not marked ended with %v", err)
	}
}

// On the real state machine: one checkpoint at rest, and then none.
func TestOneCheckpointAtRest(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice")
	now := time.Now()
	for range 5 {
		m.terms.step(testContext(t), now)
		now = now.Add(time.Minute)
	}
	if n := len(m.fsm.Checkpoints()); n != 1 {
		t.Errorf("%d checkpoints at rest, want 1", n)
	}
	if m.fsm.MarkerTerm() != 5 {
		t.Errorf("marker of term %d, want 5", m.fsm.MarkerTerm())
	}
}
