package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestConcurrentCallersShareRequests(t *testing.T) {
	c, store, members := startTest(t, 1, 1)
	const callers = 200
	gate := make(chan struct{})
	members[0].play(func(e *exchange) error {
		if e.number == 1 {
			<-gate // everything else waits meanwhile
		}
		return serve(e)
	})
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if _, err := c.Credit(within(t, time.Minute), "alice", 1); err != nil {
				t.Error(err)
			}
		})
	}
	close(gate)
	wg.Wait()
	if got := store.balance("alice"); got != callers {
		t.Errorf("balance %d, want %d", got, callers)
	}
	if n := members[0].requests.Load(); n > callers/2 {
		t.Errorf("%d requests for %d callers", n, callers)
	}
}

func TestFollowsTheHintToAMemberItWasNotTold(t *testing.T) {
	c, _, members := startTest(t, 2, 1)
	members[0].play(func(e *exchange) error {
		e.notLeader(members[1].address)
		return nil
	})
	for range 3 {
		if _, err := c.Credit(within(t, time.Minute), "alice", 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := members[0].requests.Load(); n != 1 {
		t.Errorf("asked the follower %d times, want once", n)
	}
}

func TestLeavesAMemberThatIsDown(t *testing.T) {
	store, members, stop := startFake(1)
	t.Cleanup(stop)
	store.balances["alice"] = 0
	_, down, stopDown := startFake(1)
	stopDown()
	c, err := client.New([]string{down[0].address, members[0].address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := c.Credit(within(t, time.Minute), "alice", 1); err != nil {
		t.Fatal(err)
	}
}

func TestLeavesAMemberThatIsSilent(t *testing.T) {
	c, store, members := startTest(t, 2, 2)
	members[0].play(func(*exchange) error { return nil })
	if _, err := c.Credit(within(t, 4*time.Second), "alice", 1, client.WithID(c.NewID())); err != nil {
		t.Fatal(err)
	}
	if got := store.balance("alice"); got != 1 {
		t.Errorf("balance %d, want 1", got)
	}
}

func TestStreamBreaksAfterTheEffect(t *testing.T) {
	c, store, members := startTest(t, 1, 1)
	members[0].play(func(e *exchange) error {
		if e.number == 1 {
			e.apply()
			return errBreak
		}
		return serve(e)
	})
	result, err := c.Credit(within(t, time.Minute), "alice", 5)
	if err != nil {
		t.Fatal(err)
	}
	if !result.GetReplayed() || store.balance("alice") != 5 {
		t.Errorf("replayed %v, balance %d; want the first answer again and one effect", result.GetReplayed(), store.balance("alice"))
	}
}

// A try that may have been proposed makes the outcome unknown for good: that a later try surely did nothing says nothing
// of the earlier one. This is the bug planted as planted.UnknownAsNotDone.
func TestUnknownStaysUnknown(t *testing.T) {
	c, _, members := startTest(t, 1, 1)
	members[0].play(func(e *exchange) error {
		if e.number == 1 {
			return errBreak
		}
		e.notDone(codes.Unavailable, 0)
		return nil
	})
	ops := []*ballastv1.Operation{client.NewCredit("alice", 1), client.NewCredit("alice", 2)}
	_, err := c.Submit(within(t, 500*time.Millisecond), ops...)
	var unknown *client.UnknownOutcomeError
	if !errors.As(err, &unknown) || !errors.Is(err, client.ErrUnknownOutcome) || errors.Is(err, client.ErrNotDone) {
		t.Fatalf("got %v, want an unknown outcome", err)
	}
	if len(unknown.IDs) != 2 || unknown.IDs[0] != ops[0].GetId() || unknown.IDs[1] != ops[1].GetId() {
		t.Errorf("ids %q, want those of the operations", unknown.IDs)
	}
	if members[0].requests.Load() < 2 {
		t.Error("the scripted retry did not come")
	}
}

func TestNotDoneWhenNothingWasProposed(t *testing.T) {
	c, store, members := startTest(t, 2, 2)
	for _, m := range members {
		m.play(func(e *exchange) error {
			e.notDone(codes.Unavailable, 0)
			return nil
		})
	}
	id := c.NewID()
	_, err := c.Credit(within(t, 300*time.Millisecond), "alice", 1, client.WithID(id))
	if !errors.Is(err, client.ErrNotDone) || !errors.Is(err, client.ErrUnavailable) || errors.Is(err, client.ErrUnknownOutcome) {
		t.Fatalf("got %v, want not done, unavailable", err)
	}
	if store.timesApplied(id) != 0 {
		t.Error("applied nevertheless")
	}
}

func TestUnknownWhenTheDeadlinePassesAfterSending(t *testing.T) {
	c, _, members := startTest(t, 1, 1)
	members[0].play(func(*exchange) error { return nil })
	ctx, cancel := context.WithCancel(context.Background())
	members[0].play(func(*exchange) error {
		cancel() // the caller gives up once the request has arrived
		return nil
	})
	_, err := c.Credit(ctx, "alice", 1)
	if !errors.Is(err, client.ErrUnknownOutcome) || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want unknown, canceled", err)
	}
}

func TestAnswersLateTwiceAndOutOfOrder(t *testing.T) {
	c, store, members := startTest(t, 1, 1)
	var mu sync.Mutex
	var late []func()
	members[0].play(func(e *exchange) error {
		answer := e.apply()
		mu.Lock()
		late = append(late, func() { e.send(answer) })
		if len(late) == 4 || e.number > 4 {
			for i := len(late) - 1; i >= 0; i-- {
				late[i]()
				late[i]()
			}
			late = late[:0]
		}
		mu.Unlock()
		return nil
	})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			account := fmt.Sprintf("account-%d", i)
			// A payload of its own, too large to share a request, so that each caller's answer is another one.
			ops := make([]*ballastv1.Operation, 1500)
			for j := range ops {
				ops[j] = client.NewDebit(account, int64(i*10_000+j+1))
			}
			results, err := c.Submit(within(t, time.Minute), ops...)
			if err != nil {
				t.Error(err)
				return
			}
			for j, r := range results {
				if r.GetAsked() != int64(i*10_000+j+1) || r.GetAccount() != account {
					t.Errorf("caller %d, operation %d: got the answer to %v", i, j, r)
					return
				}
			}
		})
	}
	for i := range 4 {
		store.mu.Lock()
		store.balances[fmt.Sprintf("account-%d", i)] = 0
		store.mu.Unlock()
	}
	wg.Wait()
}

func TestBusyMemberIsAskedAgain(t *testing.T) {
	c, _, members := startTest(t, 2, 2)
	members[0].play(func(e *exchange) error {
		if e.number < 4 {
			e.notDone(codes.ResourceExhausted, 5*time.Millisecond)
			return nil
		}
		return serve(e)
	})
	if _, err := c.Credit(within(t, time.Minute), "alice", 1); err != nil {
		t.Fatal(err)
	}
	if members[0].requests.Load() != 4 || members[1].requests.Load() != 0 {
		t.Errorf("asked %d and %d times, want the busy member 4 times and no other", members[0].requests.Load(), members[1].requests.Load())
	}
}

func TestInvalidRequestFailsNobodyElse(t *testing.T) {
	c, store, members := startTest(t, 1, 1)
	gate := make(chan struct{})
	members[0].play(func(e *exchange) error {
		if e.number == 1 {
			<-gate
		}
		for _, op := range e.request.GetOperations() {
			if op.GetReference() == "poison" {
				e.fail(codes.InvalidArgument, nil)
				return nil
			}
		}
		return serve(e)
	})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if i == 25 {
				_, err := c.Credit(within(t, time.Minute), "alice", 1, client.WithReference("poison"))
				if !errors.Is(err, client.ErrInvalid) || !errors.Is(err, client.ErrNotDone) {
					t.Errorf("got %v, want invalid, not done", err)
				}
				return
			}
			if _, err := c.Credit(within(t, time.Minute), "alice", 1); err != nil {
				t.Error(err)
			}
		})
	}
	close(gate)
	wg.Wait()
	if got := store.balance("alice"); got != 49 {
		t.Errorf("balance %d, want 49", got)
	}
}

func TestCloseEndsCallsUnderWay(t *testing.T) {
	c, _, members := startTest(t, 1, 1)
	arrived := make(chan struct{})
	members[0].play(func(*exchange) error {
		close(arrived)
		return nil
	})
	ended := make(chan error)
	go func() {
		_, err := c.Credit(within(t, time.Minute), "alice", 1)
		ended <- err
	}()
	<-arrived
	_ = c.Close()
	if err := <-ended; !errors.Is(err, client.ErrUnknownOutcome) || !errors.Is(err, client.ErrClosed) {
		t.Errorf("got %v, want unknown, closed", err)
	}
	if _, err := c.Credit(within(t, time.Minute), "alice", 1); !errors.Is(err, client.ErrNotDone) || !errors.Is(err, client.ErrClosed) {
		t.Errorf("got %v, want not done, closed", err)
	}
}

func TestRefusalSaysWhatWasAskedAndAvailable(t *testing.T) {
	c, store, _ := startTest(t, 1, 1)
	store.balances["alice"] = 3
	_, err := c.Debit(within(t, time.Minute), "alice", 5)
	var refused *client.RefusedError
	if !errors.As(err, &refused) || !errors.Is(err, client.ErrRefused) {
		t.Fatalf("got %v, want a refusal", err)
	}
	if refused.Account != "alice" || refused.Asked != 5 || refused.Available != 3 ||
		refused.Code != ballastv1.ResultCode_RESULT_CODE_INSUFFICIENT_FUNDS {
		t.Errorf("got %+v", refused)
	}
	if want := `refused: insufficient funds: account "alice": asked 5, available 3 (minor units)`; err.Error() != want {
		t.Errorf("text %q, want %q", err, want)
	}
	if _, err = c.Debit(within(t, time.Minute), "nobody", 5); !errors.Is(err, client.ErrUnknownAccount) {
		t.Errorf("got %v, want unknown account", err)
	}
}

// The stamp follows the cluster's clock once an answer told of it, and an id made here always carries its own stamp.
func TestStampsFollowTheCluster(t *testing.T) {
	wrong := func() time.Time { return time.Now().Add(-time.Hour) }
	c, store, _ := startTest(t, 1, 1, client.WithClock(wrong))
	if _, err := c.Credit(within(t, time.Minute), "alice", 1); err != nil {
		t.Fatal(err)
	}
	op := client.NewCredit("alice", 1)
	if _, err := c.Submit(within(t, time.Minute), op); err != nil {
		t.Fatal(err)
	}
	if off := time.Since(time.Unix(0, op.GetIssuedAt())).Abs(); off > time.Minute {
		t.Errorf("stamped %v away from the cluster's clock", off)
	}
	// The same id later, by another client that knows of nothing: a retry, not a conflict.
	result, err := c.Credit(within(t, time.Minute), "alice", 1, client.WithID(op.GetId()))
	if err != nil || !result.GetReplayed() || store.balance("alice") != 2 {
		t.Errorf("got %v, %v, balance %d; want the first answer again", result, err, store.balance("alice"))
	}
}

// A member that ends the stream as invalid speaks of the stream: what was on it may have taken effect, and is asked
// again on the next one.
func TestStreamEndedAsInvalidSettlesNothing(t *testing.T) {
	withDetail, err := status.New(codes.InvalidArgument, "a tag twice").
		WithDetails(&ballastv1.Failure{Outcome: ballastv1.Outcome_OUTCOME_UNKNOWN})
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []error{withDetail.Err(), status.Error(codes.InvalidArgument, "a tag twice")} {
		c, store, members := startTest(t, 1, 1)
		members[0].play(func(e *exchange) error {
			e.apply() // and the answer is lost
			return end
		})
		op := client.NewCredit("alice", 1)
		if _, err := c.Submit(within(t, 300*time.Millisecond), op); !errors.Is(err, client.ErrUnknownOutcome) {
			t.Errorf("%v: got %v, want outcome unknown", end, err)
		}
		members[0].play(serve)
		results, err := c.Submit(within(t, time.Minute), op)
		if err != nil || !results[0].GetReplayed() || store.timesApplied(op.GetId()) != 1 {
			t.Errorf("retried: %v, %v", results, err)
		}
		if n := members[0].requests.Load(); n < 3 {
			t.Errorf("%d requests: the first call did not try again", n)
		}
	}
}
