package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// sealText makes "time|part,part" so that tests read what was proposed.
func sealText(now int64, parts []Part) ([]byte, error) {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = string(p.Encoded)
	}
	return fmt.Appendf(nil, "%d|%s", now, strings.Join(texts, ",")), nil
}

// coalescerStory is a Coalescer on a fake raft and clock.
type coalescerStory struct {
	*Coalescer
	raft  *fakeRaft
	now   time.Time
	calls sync.WaitGroup
}

func newStory(t *testing.T, change func(*CoalescerConfig)) *coalescerStory {
	t.Helper()
	s := &coalescerStory{raft: newFakeRaft(), now: time.Unix(0, 1000)}
	cfg := CoalescerConfig{
		Raft: s.raft, Stamper: NewStamper(func() time.Time { return s.now }), Logger: hclog.NewNullLogger(),
		Seal: sealText, Open: openTest,
	}
	if change != nil {
		change(&cfg)
	}
	s.Coalescer = NewCoalescer(cfg)
	t.Cleanup(func() {
		if err := s.Close(testContext(t)); err != nil {
			t.Errorf("Close: %v", err)
		}
		s.calls.Wait()
	})
	return s
}

// told is what a caller got.
type told struct {
	applied Applied
	err     error
}

func (s *coalescerStory) submit(ctx context.Context, text string, count int) <-chan told {
	ticket, err := s.Admit(ctx, []byte(text), count)
	got := make(chan told, 1)
	if err != nil {
		got <- told{err: err}
		return got
	}
	s.calls.Go(func() {
		applied, err := ticket.Wait()
		got <- told{applied, err}
	})
	return got
}

func (s *coalescerStory) proposal(t *testing.T, want string) *fakeFuture {
	t.Helper()
	f := receive(t, "proposal "+want, s.raft.proposals)
	_, text, _ := bytes.Cut(f.data, []byte("|"))
	if string(text) != want {
		t.Fatalf("proposed %q, want %q", text, want)
	}
	return f
}

func wantFailure(t *testing.T, err error, code codes.Code, outcome ballastv1.Outcome) {
	t.Helper()
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("error is %v, want a Failure %v %v", err, code, outcome)
	}
	if f.Code != code || f.Outcome != outcome {
		t.Fatalf("failure is %v %v (%v), want %v %v", f.Code, f.Outcome, f, code, outcome)
	}
}

const (
	isNotDone = ballastv1.Outcome_OUTCOME_NOT_DONE
	isUnknown = ballastv1.Outcome_OUTCOME_UNKNOWN
)

func TestLoneRequestIsProposedAtOnceAndLoadMakesBatches(t *testing.T) {
	s := newStory(t, func(c *CoalescerConfig) { c.InFlight = 2 })
	ctx := testContext(t)
	a := s.submit(ctx, "a", 1)
	first := s.proposal(t, "a")
	b := s.submit(ctx, "b", 2)
	second := s.proposal(t, "b")
	// Both places are taken: what comes now waits, and goes together.
	c, d := s.submit(ctx, "c", 1), s.submit(ctx, "d", 3)
	select {
	case f := <-s.raft.proposals:
		t.Fatalf("a third proposal in flight: %q", f.data)
	default:
	}
	first.succeed(10, numbered(1, 1))
	third := s.proposal(t, "c,d")
	third.succeed(12, numbered(4, 4))
	second.succeed(11, numbered(2, 2))
	for i, want := range []struct {
		got          <-chan told
		first, count uint64
	}{{a, 1, 1}, {b, 2, 2}, {c, 4, 1}, {d, 5, 3}} {
		got := receive(t, "answer", want.got)
		if got.err != nil || uint64(len(got.applied.Results)) != want.count || got.applied.Results[0].Sequence != want.first {
			t.Errorf("request %d got %+v, want %d results from sequence %d", i, got, want.count, want.first)
		}
	}
}

func TestRequestsAreNeverSplitAndProposalsStayWithinLimits(t *testing.T) {
	s := newStory(t, func(c *CoalescerConfig) { c.InFlight, c.ProposalOps, c.ProposalBytes = 1, 10, 8 })
	ctx := testContext(t)
	s.submit(ctx, "hold", 1)
	hold := s.proposal(t, "hold")
	s.submit(ctx, "six", 6)
	s.submit(ctx, "five", 5) // 11 operations together
	s.submit(ctx, "12345678", 1)
	s.submit(ctx, "x", 1)             // 9 bytes together
	s.submit(ctx, "longer than 8", 1) // alone it may be
	hold.succeed(1, numbered(1, 1))
	for _, want := range []struct {
		text  string
		count int
	}{{"six", 6}, {"five", 5}, {"12345678", 1}, {"x", 1}, {"longer than 8", 1}} {
		s.proposal(t, want.text).succeed(2, numbered(1, want.count))
	}
	if err := s.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	_, err := s.Submit(ctx, []byte("z"), 11)
	wantFailure(t, err, codes.InvalidArgument, isNotDone)
}

func TestQueueIsBoundedByOperationsAndBytes(t *testing.T) {
	for _, limit := range []struct {
		name       string
		ops, bytes int
	}{{"operations", 5, 1000}, {"bytes", 1000, 5}} {
		t.Run(limit.name, func(t *testing.T) {
			s := newStory(t, func(c *CoalescerConfig) { c.InFlight, c.QueueOps, c.QueueBytes = 1, limit.ops, limit.bytes })
			ctx := testContext(t)
			s.submit(ctx, "h", 1)
			hold := s.proposal(t, "h")
			s.submit(ctx, "aaa", 3)
			err := receive(t, "refusal", s.submit(ctx, "bbb", 3)).err
			wantFailure(t, err, codes.ResourceExhausted, isNotDone)
			if asFailure(err).RetryAfter <= 0 {
				t.Error("no delay is suggested")
			}
			s.submit(ctx, "cc", 2)
			hold.succeed(1, numbered(1, 1))
			s.proposal(t, "aaa,cc").succeed(2, numbered(2, 5))
			// What left the queue made room.
			s.submit(ctx, "dddd", 4)
			s.proposal(t, "dddd").succeed(3, numbered(7, 4))
		})
	}
}

func TestOverdueRequestsAreDroppedBeforeProposing(t *testing.T) {
	s := newStory(t, func(c *CoalescerConfig) { c.InFlight = 1 })
	ctx := testContext(t)
	_, err := s.Submit(expired(t), []byte("never"), 1)
	wantFailure(t, err, codes.DeadlineExceeded, isNotDone)

	s.submit(ctx, "h", 1)
	hold := s.proposal(t, "h")
	late, cancel := context.WithCancel(ctx)
	dropped := s.submit(late, "late", 1)
	s.submit(ctx, "kept", 1)
	cancel()
	wantFailure(t, receive(t, "drop", dropped).err, codes.Canceled, isNotDone)
	hold.succeed(1, numbered(1, 1))
	s.proposal(t, "kept").succeed(2, numbered(2, 1))
}

// expired is a context whose deadline has passed although its timer has not fired.
func expired(t *testing.T) context.Context { return lateContext{testContext(t)} }

type lateContext struct{ context.Context }

func (lateContext) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

func TestWaitThatEndsAfterProposingIsUnknown(t *testing.T) {
	s := newStory(t, nil)
	ctx, cancel := context.WithCancel(testContext(t))
	got := s.submit(ctx, "a", 1)
	f := s.proposal(t, "a")
	cancel()
	wantFailure(t, receive(t, "answer", got).err, codes.Canceled, isUnknown)
	f.succeed(1, numbered(1, 1))
	// The next request gets its own results, not those nobody waited for.
	b := s.submit(testContext(t), "b", 1)
	s.proposal(t, "b").succeed(2, numbered(9, 1))
	if got := receive(t, "answer", b); got.err != nil || got.applied.Results[0].Sequence != 9 {
		t.Errorf("got %+v, want sequence 9", got)
	}
}

func TestOutcomeOfEachRaftError(t *testing.T) {
	disk := errors.New("input/output error")
	for _, c := range []struct {
		name    string
		err     error
		index   uint64
		code    codes.Code
		outcome ballastv1.Outcome
	}{
		{"not leader", raft.ErrNotLeader, 0, codes.FailedPrecondition, isNotDone},
		{"transfer", raft.ErrLeadershipTransferInProgress, 0, codes.Unavailable, isNotDone},
		{"never enqueued", raft.ErrEnqueueTimeout, 0, codes.Unavailable, isNotDone},
		{"shut down before", raft.ErrRaftShutdown, 0, codes.Unavailable, isNotDone},
		{"shut down after the commit", raft.ErrRaftShutdown, 7, codes.Unavailable, isUnknown},
		{"leadership lost", raft.ErrLeadershipLost, 7, codes.Unavailable, isUnknown},
		{"leadership lost, no index", raft.ErrLeadershipLost, 0, codes.Unavailable, isUnknown},
		{"restore", raft.ErrAbortedByRestore, 7, codes.Unavailable, isUnknown},
		{"log write", disk, 7, codes.Unavailable, isUnknown},
		{"any other", disk, 0, codes.Unavailable, isUnknown},
		{"not leader, yet with an index", raft.ErrNotLeader, 7, codes.Unavailable, isUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStory(t, nil)
			got := s.submit(testContext(t), "a", 1)
			s.proposal(t, "a").fail(c.err, c.index)
			wantFailure(t, receive(t, "answer", got).err, c.code, c.outcome)
			// An error is of its proposal only.
			next := s.submit(testContext(t), "b", 1)
			s.proposal(t, "b").succeed(8, numbered(3, 1))
			if got := receive(t, "answer", next); got.err != nil || got.applied.Results[0].Sequence != 3 {
				t.Errorf("the next request got %+v, want its own result", got)
			}
		})
	}
}

func TestCommittedWithoutResultsIsUnknown(t *testing.T) {
	for name, response := range map[string]any{
		"closing": errors.New("closing"), "none": nil, "too few": numbered(1, 1), "too many": numbered(1, 3),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t, nil)
			got := s.submit(testContext(t), "a", 2)
			s.proposal(t, "a").succeed(1, response)
			wantFailure(t, receive(t, "answer", got).err, codes.Unavailable, isUnknown)
		})
	}
}

func TestStampsNeverGoBack(t *testing.T) {
	s := newStory(t, nil)
	ctx := testContext(t)
	for _, step := range []struct{ clock, want int64 }{{5000, 5000}, {3000, 5000}, {5000, 5000}, {6000, 6000}} {
		s.now = time.Unix(0, step.clock)
		got := s.submit(ctx, "a", 1)
		f := receive(t, "proposal", s.raft.proposals)
		if want := fmt.Sprintf("%d|a", step.want); string(f.data) != want {
			t.Errorf("clock %d: proposed %q, want %q", step.clock, f.data, want)
		}
		f.succeed(1, numbered(1, 1))
		receive(t, "answer", got)
	}
}

func TestHoldKeepsRequestsWaiting(t *testing.T) {
	s := newStory(t, nil)
	ctx := testContext(t)
	release := s.Hold()
	got := s.submit(ctx, "a", 1)
	if err := s.Idle(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case f := <-s.raft.proposals:
		t.Fatalf("proposed %q while held", f.data)
	default:
	}
	release()
	release()
	s.proposal(t, "a").succeed(1, numbered(1, 1))
	receive(t, "answer", got)
}

func TestDrainWaitsForEveryAnswer(t *testing.T) {
	s := newStory(t, func(c *CoalescerConfig) { c.InFlight = 1 })
	ctx := testContext(t)
	a, b := s.submit(ctx, "a", 1), s.submit(ctx, "b", 1)
	drained := make(chan error, 1)
	s.calls.Go(func() { drained <- s.Drain(ctx) })
	first := receive(t, "proposal", s.raft.proposals)
	select {
	case err := <-drained:
		t.Fatalf("drained with a proposal in flight: %v", err)
	default:
	}
	n := bytes.Count(first.data, []byte(",")) + 1
	first.succeed(1, numbered(1, n))
	if n == 1 {
		s.proposal(t, "b").succeed(2, numbered(2, 1))
	}
	if err := receive(t, "the drain", drained); err != nil {
		t.Fatal(err)
	}
	receive(t, "a", a)
	receive(t, "b", b)

	short, cancel := context.WithCancel(ctx)
	s.submit(ctx, "c", 1)
	stuck := s.proposal(t, "c")
	cancel()
	if err := s.Drain(short); !errors.Is(err, context.Canceled) {
		t.Errorf("a drain with an unanswered proposal ended with %v", err)
	}
	stuck.succeed(3, numbered(3, 1))
}

func TestCloseAnswersWhatWaitsAndWhatRaftForgot(t *testing.T) {
	s := newStory(t, func(c *CoalescerConfig) { c.InFlight = 1 })
	ctx := testContext(t)
	lost := s.submit(ctx, "lost", 1)
	f := s.proposal(t, "lost")
	waits := s.submit(ctx, "waits", 1)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Close(gone); err == nil {
		t.Error("Close is silent about a proposal that raft never answered")
	}
	wantFailure(t, receive(t, "answer", lost).err, codes.Unavailable, isUnknown)
	wantFailure(t, receive(t, "answer", waits).err, codes.Unavailable, isNotDone)
	wantFailure(t, receive(t, "answer", s.submit(ctx, "after", 1)).err, codes.Unavailable, isNotDone)
	f.succeed(1, numbered(1, 1)) // lets the completer end
}

func TestManyCallersEachGetTheirOwnResults(t *testing.T) {
	s := newStory(t, func(c *CoalescerConfig) {
		c.Seal = func(_ int64, parts []Part) ([]byte, error) {
			var data []byte
			for _, p := range parts {
				data = append(data, p.Encoded...)
			}
			return data, nil
		}
	})
	// Each operation is 8 bytes, and its result carries them back.
	s.raft.with(func(r *fakeRaft) {
		r.respond = func(f *fakeFuture) {
			var a Applied
			for b := f.data; len(b) > 0; b = b[8:] {
				a.Results = append(a.Results, numbered(binary.LittleEndian.Uint64(b), 1).Results...)
			}
			f.succeed(1, a)
		}
	})
	ctx := testContext(t)
	var callers sync.WaitGroup
	for caller := range 32 {
		callers.Go(func() {
			for round := range 50 {
				count := 1 + (caller+round)%5
				first := uint64(caller<<32 | round<<8)
				var encoded []byte
				for i := range count {
					encoded = binary.LittleEndian.AppendUint64(encoded, first+uint64(i))
				}
				got, err := s.Submit(ctx, encoded, count)
				if err != nil || len(got.Results) != count || got.Results[0].Sequence != first ||
					got.Results[count-1].Sequence != first+uint64(count-1) {
					t.Errorf("caller %d round %d got %+v, %v", caller, round, got, err)
					return
				}
			}
		})
	}
	callers.Wait()
}
