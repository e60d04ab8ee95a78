package forming

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// fakeOperator is one member and the cluster that it joins. Each list of errors is used up, one a call, then calls
// succeed.
type fakeOperator struct {
	self                       *ballastv1.StatusResponse
	statusErrs, addErrs        []error
	promoteErrs, bootstrapErrs []error
	added                      []*ballastv1.AddMemberRequest
	promotions                 int
}

func take(errs *[]error) error {
	if len(*errs) == 0 {
		return nil
	}
	err := (*errs)[0]
	*errs = (*errs)[1:]
	return err
}

func (o *fakeOperator) Status(context.Context, string) (*ballastv1.StatusResponse, error) {
	if err := take(&o.statusErrs); err != nil {
		return nil, err
	}
	return o.self, nil
}

func (o *fakeOperator) Bootstrap(context.Context, string) error {
	if err := take(&o.bootstrapErrs); err != nil {
		return err
	}
	o.self.RaftState = ballastv1.RaftState_RAFT_STATE_LEADER
	return nil
}

func (o *fakeOperator) AddMember(_ context.Context, member *ballastv1.AddMemberRequest) (uint64, error) {
	o.added = append(o.added, member)
	if err := take(&o.addErrs); err != nil {
		return 0, err
	}
	o.setRole(ballastv1.Role_ROLE_NON_VOTER)
	o.self.CommitIndex = 7
	return 7, nil
}

func (o *fakeOperator) PromoteMember(context.Context, string, bool) (uint64, error) {
	o.promotions++
	if err := take(&o.promoteErrs); err != nil {
		return 0, err
	}
	o.setRole(ballastv1.Role_ROLE_VOTER)
	return 8, nil
}

func (o *fakeOperator) setRole(role ballastv1.Role) {
	o.self.Members = []*ballastv1.Member{{Id: o.self.GetId(), Role: role}}
}

func newFake() *fakeOperator {
	return &fakeOperator{self: &ballastv1.StatusResponse{
		Id: "node-2/x", Name: "node-2", ClusterId: "c", MemberAddress: "m:1", ClientAddress: "c:1", OperatorAddress: "o:1",
	}}
}

func status(code codes.Code) error { return &client.StatusError{Code: code, Message: "as asked"} }

func bounded(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// A join goes on through what passes: a member that starts, a cluster that elects, a member that is not caught up.
func TestJoin(t *testing.T) {
	o := newFake()
	o.statusErrs = []error{status(codes.Unavailable)}
	o.addErrs = []error{status(codes.Unavailable)}
	o.promoteErrs = []error{status(codes.FailedPrecondition)}
	if err := Join(bounded(t, time.Minute), o, "o:1", true); err != nil {
		t.Fatal(err)
	}
	want := &ballastv1.AddMemberRequest{Id: "node-2/x", MemberAddress: "m:1", ClientAddress: "c:1", OperatorAddress: "o:1", ClusterId: "c"}
	if len(o.added) != 2 || o.added[1].String() != want.String() || o.promotions != 2 {
		t.Fatalf("added %v, promoted %d times", o.added, o.promotions)
	}
}

func TestJoinAsNonVoter(t *testing.T) {
	o := newFake()
	if err := Join(bounded(t, time.Minute), o, "o:1", false); err != nil || o.promotions != 0 {
		t.Fatal(err, o.promotions)
	}
}

// What will not pass ends the join at once.
func TestJoinRefused(t *testing.T) {
	for _, code := range []codes.Code{codes.AlreadyExists, codes.FailedPrecondition, codes.InvalidArgument} {
		o := newFake()
		o.addErrs = []error{status(code), status(code)}
		var refused *client.StatusError
		if err := Join(bounded(t, time.Minute), o, "o:1", true); !errors.As(err, &refused) || refused.Code != code || len(o.added) != 1 {
			t.Errorf("%v: %v after %d tries", code, err, len(o.added))
		}
	}
}

// When time is up, the error still tells what the cluster said.
func TestJoinInVain(t *testing.T) {
	o := newFake()
	for range 1000 {
		o.promoteErrs = append(o.promoteErrs, status(codes.FailedPrecondition))
	}
	err := Join(bounded(t, 300*time.Millisecond), o, "o:1", true)
	var refused *client.StatusError
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
}

func TestBootstrap(t *testing.T) {
	o := newFake()
	if err := Bootstrap(bounded(t, time.Minute), o, "o:1"); err != nil {
		t.Fatal(err)
	}
	o.bootstrapErrs = []error{status(codes.FailedPrecondition)}
	if err := Bootstrap(bounded(t, time.Minute), o, "o:1"); err == nil {
		t.Fatal("a member with state was bootstrapped")
	}
}
