package server

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
)

// fakeState is an AppliedState whose indexes a test sets.
type fakeState struct {
	mu          sync.Mutex
	index, term uint64
	marker      uint64
	changed     chan struct{}
	waited      []uint64
}

func newFakeState(index, marker uint64) *fakeState {
	return &fakeState{index: index, marker: marker, changed: make(chan struct{})}
}

func (s *fakeState) Applied() (uint64, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index, s.term
}

func (s *fakeState) MarkerTerm() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.marker
}

func (s *fakeState) apply(index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index = index
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *fakeState) WaitApplied(ctx context.Context, index uint64) error {
	for {
		s.mu.Lock()
		now, changed := s.index, s.changed
		s.waited = append(s.waited, index)
		s.mu.Unlock()
		if now >= index {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *fakeState) lastWaited() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waited) == 0 {
		return 0
	}
	return s.waited[len(s.waited)-1]
}

// fakeLogs has the type of each entry; the others are commands.
type fakeLogs map[uint64]raft.LogType

func (l fakeLogs) GetLog(index uint64, log *raft.Log) error {
	*log = raft.Log{Index: index, Type: l[index]}
	return nil
}

// question is a ConfirmTerm that a test answers.
type question struct {
	to     raft.ServerID
	answer chan termAnswer
}

type fakeConfirmer struct{ asked chan question }

func (c fakeConfirmer) ConfirmTerm(ctx context.Context, id raft.ServerID, _ raft.ServerAddress) (uint64, error) {
	q := question{id, make(chan termAnswer, 1)}
	c.asked <- q
	select {
	case a := <-q.answer:
		return a.term, a.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (q question) say(term uint64) { q.answer <- termAnswer{term: term} }

// readStory is a ReadIndex of member a in a cluster of three voters a, b, c and a non-voter d; a leads term 5, whose
// marker is entry 10; everything up to entry 20 is committed and applied.
type readStory struct {
	*ReadIndex
	raft  *fakeRaft
	state *fakeState
	asked chan question
	reads sync.WaitGroup
}

func newReadStory(t *testing.T, change func(*ReadIndexConfig)) *readStory {
	t.Helper()
	s := &readStory{raft: newFakeRaft(), state: newFakeState(20, 5), asked: make(chan question, 100)}
	s.raft.commit, s.raft.applied = 20, 20
	for _, id := range []raft.ServerID{"a", "b", "c"} {
		s.raft.configuration.Servers = append(s.raft.configuration.Servers, raft.Server{ID: id, Suffrage: raft.Voter})
	}
	s.raft.configuration.Servers = append(s.raft.configuration.Servers, raft.Server{ID: "d", Suffrage: raft.Nonvoter})
	cfg := ReadIndexConfig{
		Raft: s.raft, LocalID: "a", Logs: fakeLogs{}, State: s.state, Confirmer: fakeConfirmer{s.asked},
		Logger: hclog.NewNullLogger(), RoundTimeout: patience,
	}
	if change != nil {
		change(&cfg)
	}
	s.ReadIndex = NewReadIndex(cfg)
	t.Cleanup(func() { s.Close(); s.reads.Wait() })
	return s
}

type readResult struct {
	index uint64
	err   error
}

func (s *readStory) read(ctx context.Context) <-chan readResult {
	got := make(chan readResult, 1)
	s.reads.Go(func() {
		index, err := s.Wait(ctx)
		got <- readResult{index, err}
	})
	return got
}

// questions returns the questions of one round, by whom they ask.
func (s *readStory) questions(t *testing.T, n int) map[raft.ServerID]question {
	t.Helper()
	all := map[raft.ServerID]question{}
	for range n {
		q := receive(t, "a question", s.asked)
		all[q.to] = q
	}
	return all
}

func (s *readStory) waiting(n int) func() bool {
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.ReadIndex.waiting) == n
	}
}

func stillWaits(t *testing.T, got <-chan readResult) {
	t.Helper()
	select {
	case r := <-got:
		t.Fatalf("the read ended early: %+v", r)
	default:
	}
}

func wantRead(t *testing.T, got <-chan readResult, index uint64) {
	t.Helper()
	if r := receive(t, "a read", got); r.err != nil || r.index != index {
		t.Fatalf("read got %+v, want index %d", r, index)
	}
}

func TestReadNeedsAMajorityOfTheVoters(t *testing.T) {
	s := newReadStory(t, nil)
	got := s.read(testContext(t))
	q := s.questions(t, 2) // b and c, not the non-voter
	q["b"].say(4)          // not there yet: no yes
	stillWaits(t, got)
	q["c"].say(5)
	wantRead(t, got, 20)
}

func TestReadFailsWithoutAMajority(t *testing.T) {
	s := newReadStory(t, nil)
	got := s.read(testContext(t))
	for _, q := range s.questions(t, 2) {
		q.answer <- termAnswer{err: errors.New("unreachable")}
	}
	wantFailure(t, receive(t, "a read", got).err, codes.Unavailable, isNotDone)
}

func TestReadFailsWhenAMemberKnowsALaterTerm(t *testing.T) {
	s := newReadStory(t, nil)
	got := s.read(testContext(t))
	s.questions(t, 2)["c"].say(6)
	wantFailure(t, receive(t, "a read", got).err, codes.FailedPrecondition, isNotDone)
}

func TestReadFailsWhenLeadershipChangesDuringTheRound(t *testing.T) {
	for name, change := range map[string]func(*fakeRaft){
		"deposed":         func(r *fakeRaft) { r.state = raft.Follower },
		"leads a new one": func(r *fakeRaft) { r.term = 7 },
	} {
		t.Run(name, func(t *testing.T) {
			s := newReadStory(t, nil)
			got := s.read(testContext(t))
			q := s.questions(t, 2)
			s.raft.with(change)
			q["b"].say(5)
			wantFailure(t, receive(t, "a read", got).err, codes.FailedPrecondition, isNotDone)
		})
	}
}

func TestFollowerRefusesLinearizableReads(t *testing.T) {
	s := newReadStory(t, nil)
	s.raft.with(func(r *fakeRaft) { r.state = raft.Follower })
	wantFailure(t, receive(t, "a read", s.read(testContext(t))).err, codes.FailedPrecondition, isNotDone)
}

func TestReadsShareOnlyRoundsThatBeganAfterThem(t *testing.T) {
	s := newReadStory(t, nil)
	ctx := testContext(t)
	first := s.read(ctx)
	round1 := s.questions(t, 2)
	// These arrive while the first round's questions are under way, and share the second.
	late, later := s.read(ctx), s.read(ctx)
	eventually(t, "two reads wait", s.waiting(2))
	s.raft.with(func(r *fakeRaft) { r.commit = 25 })
	s.state.apply(25)
	round1["b"].say(5)
	wantRead(t, first, 20)
	round2 := s.questions(t, 2)
	round1["c"].say(5) // an answer to a question asked before they arrived
	stillWaits(t, late)
	stillWaits(t, later)
	round2["c"].say(5)
	wantRead(t, late, 25)
	wantRead(t, later, 25)
}

func TestReadWaitsForThisTermsMarker(t *testing.T) {
	marked := make(chan struct{})
	s := newReadStory(t, func(c *ReadIndexConfig) {
		c.Marked = func(ctx context.Context, term uint64) error {
			select {
			case <-marked:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	s.state.mu.Lock()
	s.state.marker = 4
	s.state.mu.Unlock()
	got := s.read(testContext(t))
	eventually(t, "the round began", s.waiting(0))
	// The commit index that counts is the one after the marker.
	s.raft.with(func(r *fakeRaft) { r.commit = 22 })
	s.state.mu.Lock()
	s.state.marker = 5
	s.state.mu.Unlock()
	s.state.apply(22)
	close(marked)
	s.questions(t, 2)["b"].say(5)
	wantRead(t, got, 22)
}

func TestReadDoesNotWaitForTheMarkerOfALostTerm(t *testing.T) {
	s := newReadStory(t, func(c *ReadIndexConfig) {
		c.Marked = func(ctx context.Context, _ uint64) error { <-ctx.Done(); return ctx.Err() }
	})
	s.state.mu.Lock()
	s.state.marker = 4
	s.state.mu.Unlock()
	got := s.read(testContext(t))
	s.raft.with(func(r *fakeRaft) { r.state = raft.Follower })
	wantFailure(t, receive(t, "a read", got).err, codes.FailedPrecondition, isNotDone)
}

func TestReadWithoutThisTermsMarkerIsRefused(t *testing.T) {
	s := newReadStory(t, nil)
	s.state.marker = 4
	wantFailure(t, receive(t, "a read", s.read(testContext(t))).err, codes.Unavailable, isNotDone)
}

// The guard "AppliedIndex": what the library calls applied is only queued for the state machine.
func TestReadWaitsForTheStateMachineNotForItsQueue(t *testing.T) {
	s := newReadStory(t, nil)
	s.raft.with(func(r *fakeRaft) { r.commit, r.applied = 30, 30 })
	got := s.read(testContext(t))
	s.questions(t, 2)["b"].say(5)
	eventually(t, "the read waits for entry 30 or has ended", func() bool { return s.state.lastWaited() == 30 || len(got) > 0 })
	stillWaits(t, got)
	s.state.apply(29)
	stillWaits(t, got)
	s.state.apply(30)
	wantRead(t, got, 30)
}

func TestReadDoesNotWaitForEntriesThatNeverReachTheStateMachine(t *testing.T) {
	for name, c := range map[string]struct {
		logs fakeLogs
		want uint64
	}{
		"configuration last":      {fakeLogs{23: raft.LogConfiguration}, 22},
		"several":                 {fakeLogs{21: raft.LogNoop, 22: raft.LogBarrier, 23: raft.LogConfiguration}, 20},
		"a command after a no-op": {fakeLogs{22: raft.LogNoop}, 23},
	} {
		t.Run(name, func(t *testing.T) {
			s := newReadStory(t, func(cfg *ReadIndexConfig) { cfg.Logs = c.logs })
			s.raft.with(func(r *fakeRaft) { r.commit = 23 })
			got := s.read(testContext(t))
			s.questions(t, 2)["b"].say(5)
			if c.want > 20 {
				eventually(t, "the read waits", func() bool { return s.state.lastWaited() == c.want })
				s.state.apply(c.want)
			}
			wantRead(t, got, c.want)
		})
	}
}

// The guard "VerifyLeader": it succeeds on answers to requests that were sent before the call, also when nobody can be
// reached any more.
func TestReadIsRefusedWhenNobodyCanBeReached(t *testing.T) {
	s := newReadStory(t, nil) // raft.VerifyLeader of the fake succeeds
	got := s.read(testContext(t))
	for range 2 {
		select {
		case q := <-s.asked:
			q.answer <- termAnswer{err: errors.New("unreachable")}
		case r := <-got:
			t.Fatalf("a read got %+v with nobody asked", r)
		}
	}
	wantFailure(t, receive(t, "a read", got).err, codes.Unavailable, isNotDone)
}

func TestLoneVoterNeedsNobodyElse(t *testing.T) {
	s := newReadStory(t, nil)
	s.raft.with(func(r *fakeRaft) { r.configuration.Servers = r.configuration.Servers[:1] })
	wantRead(t, s.read(testContext(t)), 20)
}

func TestLeaderThatIsNoVoterDoesNotCount(t *testing.T) {
	s := newReadStory(t, nil)
	s.raft.with(func(r *fakeRaft) { r.configuration.Servers = r.configuration.Servers[1:] })
	got := s.read(testContext(t))
	q := s.questions(t, 2)
	q["b"].say(5)
	stillWaits(t, got)
	q["c"].say(5)
	wantRead(t, got, 20)
}

func TestReadsAreBoundedAndEndWithTheirContext(t *testing.T) {
	s := newReadStory(t, func(c *ReadIndexConfig) { c.MaxWaiting = 1 })
	first := s.read(testContext(t))
	s.questions(t, 2)
	ctx, cancel := context.WithCancel(testContext(t))
	second := s.read(ctx)
	eventually(t, "a read waits", s.waiting(1))
	wantFailure(t, receive(t, "a refusal", s.read(testContext(t))).err, codes.ResourceExhausted, isNotDone)
	cancel()
	wantFailure(t, receive(t, "a cancelled read", second).err, codes.Canceled, isNotDone)
	s.Close()
	wantFailure(t, receive(t, "a read at shutdown", first).err, codes.Unavailable, isNotDone)
	wantFailure(t, receive(t, "a read after", s.read(testContext(t))).err, codes.Unavailable, isNotDone)
}
