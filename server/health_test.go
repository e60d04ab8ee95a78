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
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func TestHealthFollowsTheLeaderAndTheGate(t *testing.T) {
	r, gate := newFakeRaft(), &Gate{}
	h := NewHealth(r, gate, time.Millisecond)
	ctx, cancel := context.WithCancel(testContext(t))
	var loop sync.WaitGroup
	defer loop.Wait()
	defer cancel()
	serving := func(service string) bool {
		answer, err := h.server.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
		return err == nil && answer.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING
	}
	const money, operator = "ballast.v1.MoneyService", "ballast.v1.OperatorService"
	if serving("") || serving(money) || !serving(operator) {
		t.Error("before Run only the operator service may serve")
	}
	loop.Go(func() { h.Run(ctx) })
	r.with(func(r *fakeRaft) { r.leader = raft.Server{ID: "b"} })
	eventually(t, "a leader makes it serve", func() bool { return serving("") && serving(money) })
	r.with(func(r *fakeRaft) { r.leader = raft.Server{} })
	eventually(t, "without a leader it does not", func() bool { return !serving("") && !serving(money) && serving(operator) })
	r.with(func(r *fakeRaft) { r.leader = raft.Server{ID: "b"} })
	eventually(t, "a leader makes it serve again", func() bool { return serving(money) })
	gate.Close()
	eventually(t, "the gate ends it", func() bool { return !serving("") && !serving(money) && serving(operator) })
	cancel()
	eventually(t, "all ends with Run", func() bool { return !serving(operator) })
}

func TestPanicIsFatalAndOfUnknownOutcome(t *testing.T) {
	var fatal []error
	w := &watch{cfg: ListenConfig{Logger: hclog.NewNullLogger(), Fatal: func(err error) { fatal = append(fatal, err) }}}
	_, err := w.unary(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/x"}, func(context.Context, any) (any, error) {
		panic("broken pledge")
	})
	if f := failureOf(t, err, codes.Internal); f.GetOutcome() != isUnknown {
		t.Errorf("outcome is %v", f.GetOutcome())
	}
	err = w.stream(nil, nil, &grpc.StreamServerInfo{FullMethod: "/y"}, func(any, grpc.ServerStream) error { panic("broken pledge") })
	failureOf(t, err, codes.Internal)
	if len(fatal) != 2 || !strings.Contains(fatal[0].Error(), "broken pledge") {
		t.Errorf("fatal got %v", fatal)
	}
}

func TestErrorsThatAreNoFailureGetOne(t *testing.T) {
	shared := notLeader(nil)
	if got := withLeader(shared, LeaderHint(newFakeRaft(), nil)); got.Code != codes.Unavailable || shared.Code != codes.FailedPrecondition {
		t.Errorf("got %v, and the shared failure is now %v", got, shared)
	}
	here := func() *ballastv1.LeaderHint { return &ballastv1.LeaderHint{Name: "here"} }
	if got := withLeader(notLeader(nil), here); got.Leader.GetName() != "here" || got.proto().GetReason() != ballastv1.Reason_REASON_NOT_LEADER {
		t.Errorf("got %v", got.proto())
	}
	// What cannot be done cannot be done anywhere: a hint would send callers round.
	if got := withLeader(precondition("not caught up"), here); got.Leader != nil || got.Code != codes.FailedPrecondition {
		t.Errorf("a precondition got a hint: %v", got.proto())
	}
	if got := withLeader(precondition("not caught up"), func() *ballastv1.LeaderHint { return nil }); got.Code != codes.FailedPrecondition {
		t.Errorf("a precondition without a leader became %v", got.Code)
	}
	if got := asFailure(errors.New("anything")); got.Code != codes.Internal || got.Outcome != isUnknown {
		t.Errorf("got %v %v, want internal, unknown", got.Code, got.Outcome)
	}
	if got := status.Convert(stopping()); got.Code() != codes.Unavailable || len(got.Details()) != 1 {
		t.Errorf("got %v", got)
	}
}
