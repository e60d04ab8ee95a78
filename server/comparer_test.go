package server

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/fsm"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// fakeCheckpoints are the checkpoints of all members; one that is missing does not answer.
type fakeCheckpoints struct {
	mu    sync.Mutex
	told  reports
	asked int
}

func (f *fakeCheckpoints) set(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = toldIn(text)
}

func (f *fakeCheckpoints) questions() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func (f *fakeCheckpoints) Checkpoints(_ context.Context, id raft.ServerID, _ raft.ServerAddress) ([]fsm.Checkpoint, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	list, ok := f.told[id]
	if !ok {
		return nil, errors.New("does not answer")
	}
	return list, nil
}

func (f *fakeCheckpoints) own() []fsm.Checkpoint {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.told["a"]
}

// compareRig is the comparer of a, which runs until the test ends.
type compareRig struct {
	*fakeCheckpoints
	comparer  *Comparer
	gate      *Gate
	condemned chan Verdict
	agreed    chan uint64
}

func newCompareRig() *compareRig {
	r := newFakeRaft()
	r.configuration.Servers = []raft.Server{voter("a"), voter("b"), voter("c")}
	rig := &compareRig{fakeCheckpoints: &fakeCheckpoints{}, gate: &Gate{}, condemned: make(chan Verdict, 8), agreed: make(chan uint64, 1024)}
	rig.comparer = NewComparer(ComparerConfig{
		Raft: r, LocalID: "a", Own: rig.own, Members: rig, Gate: rig.gate, Logger: hclog.NewNullLogger(), Period: time.Millisecond,
		Condemn: func(v Verdict) { rig.condemned <- v }, Agreed: func(index uint64) { rig.agreed <- index },
	})
	return rig
}

func startComparer(t *testing.T) *compareRig {
	t.Helper()
	rig := newCompareRig()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { rig.comparer.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return rig
}

// TestOutvotedMemberCondemnsItself: as soon as a majority has another digest, and not before.
func TestOutvotedMemberCondemnsItself(t *testing.T) {
	rig := startComparer(t)
	rig.set("a:1x b:1x c:1x")
	if index := receive(t, "agreement", rig.agreed); index != 1 {
		t.Errorf("agreed at %d", index)
	}
	rig.set("a:2y,1x b:1x c:1x")
	before := rig.questions()
	eventually(t, "members are asked again", func() bool { return rig.questions() > before+4 })
	if len(rig.condemned) > 0 {
		t.Fatal("condemned without a majority")
	}
	rig.set("a:2y,1x b:2x,1x c:2x,1x")
	v := receive(t, "condemnation", rig.condemned)
	if v.Index != 2 || v.LastAgreed != 1 {
		t.Errorf("condemned at %d, agreed at %d", v.Index, v.LastAgreed)
	}
}

// TestAgreedCheckpointIsNotAskedForAgain: members are asked about a checkpoint until all that answer agree on it.
func TestAgreedCheckpointIsNotAskedForAgain(t *testing.T) {
	rig := newCompareRig()
	for i, round := range []struct {
		told      string
		questions int
	}{
		{"b:1x c:1x", 0}, {"a:1x", 2}, {"a:1x b:1x c:1y", 2}, {"a:1x b:1x c:1x", 2}, {"a:1x b:1x c:1x", 0}, {"a:2x,1x b:2x c:2x", 2},
	} {
		rig.set(round.told)
		before := rig.asked
		rig.comparer.look(testContext(t))
		if got := rig.asked - before; got != round.questions {
			t.Errorf("round %d: %d questions, want %d", i, got, round.questions)
		}
	}
}

// TestWithoutMajorityWritesStop, and go on when there is one.
func TestWithoutMajorityWritesStop(t *testing.T) {
	rig := startComparer(t)
	rig.set("a:1x b:1y")
	eventually(t, "writes stop", func() bool { return rig.gate.passWrite() != nil })
	if f := rig.gate.passWrite(); !strings.Contains(f.Message, "do not wipe data") || f.Code != codes.Unavailable {
		t.Errorf("the refusal does not help: %v", f)
	}
	if rig.gate.pass() != nil {
		t.Error("reads stop too")
	}
	if notes := rig.comparer.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "writes are stopped") {
		t.Errorf("the status says %q", notes)
	}
	rig.set("a:1x b:1y c:1x")
	eventually(t, "writes go on", func() bool { return rig.gate.passWrite() == nil })
	if notes := rig.comparer.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "the state of b differs") {
		t.Errorf("the status says %q", notes)
	}
	rig.set("a:1x b:1x c:1x")
	eventually(t, "nothing is left to say", func() bool { return len(rig.comparer.Notes()) == 0 })
	if len(rig.condemned) > 0 {
		t.Error("this member was condemned")
	}
}

// TestCondemnedMemberServesNothing: neither what comes nor what was let in before.
func TestCondemnedMemberServesNothing(t *testing.T) {
	m := newMember(t, nil)
	m.raft.with(func(r *fakeRaft) { r.respond = nil })
	submitted := make(chan error, 1)
	go func() {
		_, err := m.money.Submit(testContext(t), &ballastv1.SubmitRequest{Operations: []*ballastv1.Operation{credit("a", "x", 1)}})
		submitted <- err
	}()
	inside := receive(t, "the proposal", m.raft.proposals)
	m.gate.Condemn("its state is wrong: go to another member")
	m.commitAtOnce()
	m.raft.respond(inside)
	if f := failureOf(t, receive(t, "an answer", submitted), codes.Unavailable); f.GetOutcome() != isUnknown {
		t.Errorf("what was proposed before is answered %v", f.GetOutcome())
	}
	for name, call := range map[string]func() error{
		"write": func() error {
			_, err := m.money.Submit(testContext(t), &ballastv1.SubmitRequest{Operations: []*ballastv1.Operation{credit("b", "x", 1)}})
			return err
		},
		"read": func() error {
			_, err := m.money.GetAccounts(testContext(t), &ballastv1.GetAccountsRequest{Ids: []string{"x"}})
			return err
		},
		"stale read": func() error {
			_, err := m.money.GetAccounts(testContext(t), &ballastv1.GetAccountsRequest{
				Ids: []string{"x"}, Consistency: ballastv1.Consistency_CONSISTENCY_STALE,
			})
			return err
		},
		"statement": func() error {
			_, err := m.money.GetStatement(testContext(t), &ballastv1.GetStatementRequest{Account: "x"})
			return err
		},
	} {
		if f := failureOf(t, call(), codes.Unavailable); f.GetOutcome() != isNotDone {
			t.Errorf("%s: %v", name, f.GetOutcome())
		}
	}
	s, err := m.operator.Status(testContext(t), &ballastv1.StatusRequest{})
	if err != nil || !strings.Contains(s.GetState(), "its state is wrong") {
		t.Errorf("the status says %q, %v", s.GetState(), err)
	}
}
