package client_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func TestUnknownUnavailableAndZeroAreThreeAnswers(t *testing.T) {
	c, _, members := startTest(t, 1, 1)
	account, err := c.Account(within(t, time.Minute), "alice")
	if err != nil || account.GetPosted() != 0 {
		t.Errorf("got %v, %v; want a balance of zero", account, err)
	}
	if _, err = c.Account(within(t, time.Minute), "nobody"); !errors.Is(err, client.ErrUnknownAccount) || errors.Is(err, client.ErrUnavailable) {
		t.Errorf("got %v, want unknown account", err)
	}
	members[0].read = func(context.Context) error { return status.Error(codes.Unavailable, "no leader") }
	_, err = c.Account(within(t, 100*time.Millisecond), "alice")
	if !errors.Is(err, client.ErrUnavailable) || errors.Is(err, client.ErrUnknownAccount) {
		t.Errorf("got %v, want unavailable", err)
	}
}

func notLeader(leader string) error {
	st, err := status.New(codes.FailedPrecondition, "not the leader").WithDetails(&ballastv1.Failure{
		Outcome: ballastv1.Outcome_OUTCOME_NOT_DONE, Leader: &ballastv1.LeaderHint{ClientAddress: leader},
	})
	if err != nil {
		return err
	}
	return st.Err()
}

func TestReadsFollowTheHint(t *testing.T) {
	c, _, members := startTest(t, 2, 1)
	var asked atomic.Int64
	members[0].read = func(context.Context) error {
		asked.Add(1)
		return notLeader(members[1].address)
	}
	for range 3 {
		if _, err := c.Account(within(t, time.Minute), "alice"); err != nil {
			t.Fatal(err)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked the follower %d times, want once", asked.Load())
	}
}

// A stale read goes on to a member that answers, and says what it saw.
func TestStaleReadsNeedOneMember(t *testing.T) {
	c, _, members := startTest(t, 3, 3)
	for _, m := range members[:2] {
		m.read = func(context.Context) error { return status.Error(codes.Unavailable, "down") }
	}
	for range 6 {
		var state *ballastv1.ReadState
		if _, err := c.Account(within(t, time.Minute), "alice", client.Stale(), client.OnState(func(s *ballastv1.ReadState) { state = s })); err != nil {
			t.Fatal(err)
		}
		if !state.GetStale() || state.GetIndex() != 7 {
			t.Errorf("state %v, want stale at index 7", state)
		}
	}
}

// A member that holds a read leaves time to ask another one.
func TestReadsLeaveAMemberThatIsSilent(t *testing.T) {
	c, _, members := startTest(t, 2, 2)
	members[0].read = func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	if _, err := c.Account(within(t, 4*time.Second), "alice"); err != nil {
		t.Error(err)
	}
}

func TestListingsGoThroughAllPages(t *testing.T) {
	c, _, _ := startTest(t, 1, 1)
	for _, size := range []uint32{1, 7, 25, 1000} {
		last, n := "", 0
		for account, err := range c.ListAccounts(within(t, time.Minute), client.Filter{}, client.WithPageSize(size)) {
			if err != nil {
				t.Fatal(err)
			}
			if account.GetId() <= last {
				t.Fatalf("%q after %q", account.GetId(), last)
			}
			last = account.GetId()
			n++
		}
		next := uint64(25)
		for entry, err := range c.Statement(within(t, time.Minute), "alice", 0, client.WithPageSize(size)) {
			if err != nil {
				t.Fatal(err)
			}
			if entry.GetSequence() != next {
				t.Fatalf("entry %d, want %d", entry.GetSequence(), next)
			}
			next--
		}
		if n != 25 || next != 0 {
			t.Errorf("page size %d: %d accounts, %d entries missing", size, n, next)
		}
	}
	for _, err := range c.ListAccounts(within(t, time.Minute), client.Filter{Prefix: "a-01"}) {
		if err != nil {
			t.Error(err)
		}
		break // must not go on
	}
}

func TestStatementOfNobody(t *testing.T) {
	c, _, _ := startTest(t, 1, 1)
	n := 0
	for _, err := range c.Statement(within(t, time.Minute), "nobody", 0) {
		n++
		if !errors.Is(err, client.ErrUnknownAccount) {
			t.Errorf("got %v, want unknown account", err)
		}
	}
	if n != 1 {
		t.Errorf("%d rows, want one error", n)
	}
}

func TestOperationTellsWhatBecameOfIt(t *testing.T) {
	c, _, _ := startTest(t, 1, 1)
	id := c.NewID()
	before, err := c.Operation(within(t, time.Minute), id)
	if err != nil || before.GetKnown() {
		t.Errorf("got %v, %v; want not known", before, err)
	}
	if _, err := c.Credit(within(t, time.Minute), "alice", 1, client.WithID(id)); err != nil {
		t.Fatal(err)
	}
	after, err := c.Operation(within(t, time.Minute), id)
	if err != nil || after.GetResult().GetCode() != ballastv1.ResultCode_RESULT_CODE_APPLIED {
		t.Errorf("got %v, %v; want applied", after, err)
	}
}

// Every member that anybody names is asked; one that is down costs the others nothing.
func TestStatusOfAllAsksMembersItWasNotTold(t *testing.T) {
	c, _, members := startTest(t, 3, 2)
	all := []*ballastv1.Member{
		{Id: "a/1", ClientAddress: members[0].address},
		{Id: "b/1", ClientAddress: members[1].address},
		{Id: "c/1", ClientAddress: members[2].address},
	}
	members[0].status = &ballastv1.StatusResponse{Id: "a/1", Members: all}
	members[2].status = &ballastv1.StatusResponse{Id: "c/1", Members: all}
	answers := c.Operator().StatusOfAll(within(t, time.Minute))
	if len(answers) != 3 {
		t.Fatalf("%d answers, want 3", len(answers))
	}
	for i, want := range []string{"a/1", "", "c/1"} {
		if answers[i].Status.GetId() != want || (answers[i].Err == nil) != (want != "") {
			t.Errorf("answer %d: %v, %v; want %q", i, answers[i].Status, answers[i].Err, want)
		}
	}
}

func TestHistoryForwardGoesThroughAllPages(t *testing.T) {
	c, _, _ := startTest(t, 1, 1)
	from := time.Unix(7, 0)
	for _, size := range []uint32{1, 7, 25, 1000} {
		next := uint64(4)
		for entry, err := range c.History(within(t, time.Minute), "alice", client.Stretch{After: 3, From: from, Forward: true}, client.WithPageSize(size)) {
			if err != nil {
				t.Fatal(err)
			}
			if entry.GetSequence() != next || entry.GetLogTime() != from.UnixNano() {
				t.Fatalf("entry %v, want %d from %s on", entry, next, from)
			}
			next++
		}
		if next != 26 {
			t.Errorf("page size %d: ended before entry %d", size, next)
		}
	}
}

func TestPastBalanceAsksForOnePoint(t *testing.T) {
	c, _, _ := startTest(t, 1, 1)
	if b, err := c.BalanceAfter(within(t, time.Minute), "alice", 7, client.Stale()); err != nil || b.GetSequence() != 7 || b.GetPosted() != 0 || !b.GetState().GetStale() {
		t.Errorf("got %v, %v", b, err)
	}
	if b, err := c.BalanceAt(within(t, time.Minute), "alice", time.Unix(0, 9)); err != nil || b.GetSequence() != 0 || b.GetPosted() != 9 {
		t.Errorf("got %v, %v", b, err)
	}
	if _, err := c.BalanceAfter(within(t, time.Minute), "nobody", 7); !errors.Is(err, client.ErrUnknownAccount) {
		t.Errorf("got %v, want unknown account", err)
	}
}
