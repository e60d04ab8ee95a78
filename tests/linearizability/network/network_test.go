package network

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store counts what arrives and answers everything with one code.
type store struct {
	ballastv1.UnimplementedMoneyServiceServer
	code ballastv1.ResultCode

	mu      sync.Mutex
	arrived map[string]int
}

func (s *store) answer(ops []*ballastv1.Operation) *ballastv1.SubmitResponse {
	s.mu.Lock()
	defer s.mu.Unlock()
	response := &ballastv1.SubmitResponse{}
	for _, op := range ops {
		s.arrived[op.GetId()]++
		response.Results = append(response.Results, &ballastv1.Result{Code: s.code})
	}
	return response
}

func (s *store) Submit(_ context.Context, r *ballastv1.SubmitRequest) (*ballastv1.SubmitResponse, error) {
	return s.answer(r.GetOperations()), nil
}

func (s *store) SubmitStream(stream ballastv1.MoneyService_SubmitStreamServer) error {
	for {
		r, err := stream.Recv()
		if err != nil {
			return nil
		}
		if err := stream.Send(&ballastv1.SubmitStreamResponse{
			Tag: r.GetTag(), Outcome: &ballastv1.SubmitStreamResponse_Response{Response: s.answer(r.GetOperations())},
		}); err != nil {
			return err
		}
	}
}

func (s *store) times(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrived[id]
}

// behind starts a store and returns a client of it behind a network with the plan.
func behind(t *testing.T, plan Plan, code ballastv1.ResultCode) (*store, *Network, ballastv1.MoneyServiceClient, func() int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &store{code: code, arrived: map[string]int{}}
	server := grpc.NewServer()
	ballastv1.RegisterMoneyServiceServer(server, s)
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); <-served })

	var mu sync.Mutex
	copies := 0
	n, err := New(plan, []string{listener.Addr().String()}, func(c Copy) {
		mu.Lock()
		defer mu.Unlock()
		if c.Err == nil {
			copies++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	conn, err := grpc.NewClient("passthrough:///"+listener.Addr().String(), grpc.WithContextDialer(n.Dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return s, n, ballastv1.NewMoneyServiceClient(conn), func() int { mu.Lock(); defer mu.Unlock(); return copies }
}

func request(id string) *ballastv1.SubmitRequest {
	return &ballastv1.SubmitRequest{Operations: []*ballastv1.Operation{{Id: id}}}
}

const (
	applied = ballastv1.ResultCode_RESULT_CODE_APPLIED
	refused = ballastv1.ResultCode_RESULT_CODE_INSUFFICIENT_FUNDS
)

func TestRequestsAreDeliveredTwice(t *testing.T) {
	for name, c := range map[string]struct {
		plan Plan
		code ballastv1.ResultCode
		want int
	}{
		"all":                         {Plan{Copied: 1, LatestCopy: time.Millisecond}, applied, 2},
		"refused ones":                {Plan{CopiedRefused: 1, LatestCopy: time.Millisecond}, refused, 2},
		"refused ones, not this":      {Plan{CopiedRefused: 1, LatestCopy: time.Millisecond}, applied, 1},
		"none":                        {Plan{}, refused, 1},
		"delayed and delivered twice": {Plan{Copied: 1, LatestCopy: time.Millisecond, Delayed: 1, LongestDelay: 10 * time.Millisecond}, applied, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s, n, money, copies := behind(t, c.plan, c.code)
			if _, err := money.Submit(t.Context(), request("unary")); err != nil {
				t.Fatal(err)
			}
			stream, err := money.SubmitStream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				if err := stream.Send(&ballastv1.SubmitStreamRequest{Tag: uint64(i), Operations: request(fmt.Sprint(i)).GetOperations()}); err != nil {
					t.Fatal(err)
				}
			}
			for range 5 {
				if _, err := stream.Recv(); err != nil {
					t.Fatal(err)
				}
			}
			n.WaitForCopies()
			for _, id := range []string{"unary", "0", "1", "2", "3", "4"} {
				if s.times(id) != c.want {
					t.Errorf("request %s arrived %d times, wanted %d", id, s.times(id), c.want)
				}
			}
			if want := (c.want - 1) * 6; copies() != want {
				t.Errorf("%d copies were reported, wanted %d", copies(), want)
			}
			if err := stream.CloseSend(); err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err == nil {
				t.Error("the stream goes on after its end")
			}
		})
	}
}

func TestCutsHoldRequestsOrAnswers(t *testing.T) {
	for _, requests := range []bool{true, false} {
		s, n, money, _ := behind(t, Plan{}, applied)
		n.Cut(0, requests, !requests)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if _, err := money.Submit(ctx, request("held")); err == nil {
			t.Error("answered through a cut")
		}
		cancel()
		if arrived := s.times("held") == 1; arrived == requests {
			t.Errorf("requests cut %v: arrived %v", requests, arrived)
		}
		n.Heal()
		if _, err := money.Submit(t.Context(), request("healed")); err != nil {
			t.Error(err)
		}
	}
}

func TestPlanRepeats(t *testing.T) {
	plan := Plan{Seed: 7, Delayed: 0.5, LongestDelay: time.Second, Copied: 0.5, CopiedRefused: 0.5, LatestCopy: time.Second}
	seen := map[fate]bool{}
	for i := range 100 {
		op := &ballastv1.Operation{Id: fmt.Sprint(i)}
		once, again := plan.fate(op), plan.fate(op)
		if once != again {
			t.Fatal("one operation has two fates")
		}
		seen[once] = true
	}
	if len(seen) < 50 {
		t.Errorf("100 operations have only %d fates", len(seen))
	}
}
