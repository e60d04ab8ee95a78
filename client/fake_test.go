package client_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// fakeStore is what the fake members of one cluster share: balances, and the answer to every id.
type fakeStore struct {
	mu       sync.Mutex
	balances map[string]int64
	answers  map[string]*ballastv1.Result
	payloads map[string]int64 // issued_at of each id
	applied  map[string]int
	sequence uint64
	ahead    time.Duration // of log time
}

func newFakeStore() *fakeStore {
	return &fakeStore{
		balances: make(map[string]int64), answers: make(map[string]*ballastv1.Result),
		payloads: make(map[string]int64), applied: make(map[string]int),
	}
}

// apply answers operations as the cluster would, simplified to credits, debits and the creation of accounts.
func (s *fakeStore) apply(ops []*ballastv1.Operation) *ballastv1.SubmitResponse {
	s.mu.Lock()
	defer s.mu.Unlock()
	response := &ballastv1.SubmitResponse{LogTime: time.Now().Add(s.ahead).UnixNano()}
	for _, op := range ops {
		response.Results = append(response.Results, s.applyOne(op))
	}
	return response
}

func (s *fakeStore) applyOne(op *ballastv1.Operation) *ballastv1.Result {
	if known := s.answers[op.GetId()]; known != nil {
		if s.payloads[op.GetId()] != op.GetIssuedAt() {
			return &ballastv1.Result{Code: ballastv1.ResultCode_RESULT_CODE_CONFLICT}
		}
		return &ballastv1.Result{Code: known.Code, Replayed: true, Attempt: 1, Sequence: known.Sequence, Available: known.Available, Asked: known.Asked, Account: known.Account}
	}
	r := s.decide(op)
	if r.Code == ballastv1.ResultCode_RESULT_CODE_APPLIED {
		s.sequence++
		r.Sequence = s.sequence
		s.applied[op.GetId()]++
	}
	r.Attempt = 1
	s.answers[op.GetId()], s.payloads[op.GetId()] = r, op.GetIssuedAt()
	return r
}

func (s *fakeStore) decide(op *ballastv1.Operation) *ballastv1.Result {
	account, change := "", int64(0)
	switch k := op.GetKind().(type) {
	case *ballastv1.Operation_CreateAccount:
		s.balances[k.CreateAccount.GetAccount()] = 0
		return &ballastv1.Result{Code: ballastv1.ResultCode_RESULT_CODE_APPLIED}
	case *ballastv1.Operation_Credit:
		account, change = k.Credit.GetAccount(), k.Credit.GetAmount()
	case *ballastv1.Operation_Debit:
		account, change = k.Debit.GetAccount(), -k.Debit.GetAmount()
	default:
		return &ballastv1.Result{Code: ballastv1.ResultCode_RESULT_CODE_APPLIED}
	}
	balance, known := s.balances[account]
	if !known {
		return &ballastv1.Result{Code: ballastv1.ResultCode_RESULT_CODE_UNKNOWN_ACCOUNT, Account: account}
	}
	if balance+change < 0 {
		return &ballastv1.Result{
			Code: ballastv1.ResultCode_RESULT_CODE_INSUFFICIENT_FUNDS, Account: account, Asked: -change, Available: balance,
		}
	}
	s.balances[account] += change
	return &ballastv1.Result{Code: ballastv1.ResultCode_RESULT_CODE_APPLIED, Available: balance + change, CreditPosted: balance + change}
}

func (s *fakeStore) timesApplied(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied[id]
}

func (s *fakeStore) balance(account string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.balances[account]
}

// exchange is one request on a stream of a fake member, and the ways to answer it.
type exchange struct {
	member  *fakeMember
	request *ballastv1.SubmitStreamRequest
	number  int // of the member's requests, from 1
	send    func(*ballastv1.SubmitStreamResponse)
}

func (e *exchange) apply() *ballastv1.SubmitStreamResponse {
	return &ballastv1.SubmitStreamResponse{Tag: e.request.GetTag(), Outcome: &ballastv1.SubmitStreamResponse_Response{
		Response: e.member.store.apply(e.request.GetOperations()),
	}}
}

func (e *exchange) serve() { e.send(e.apply()) }

func (e *exchange) fail(code codes.Code, failure *ballastv1.Failure) {
	e.send(&ballastv1.SubmitStreamResponse{Tag: e.request.GetTag(), Outcome: &ballastv1.SubmitStreamResponse_Failure{
		Failure: &ballastv1.StreamFailure{Code: int32(code), Message: "scripted", Failure: failure},
	}})
}

func (e *exchange) notLeader(leader string) {
	e.fail(codes.FailedPrecondition, &ballastv1.Failure{
		Outcome: ballastv1.Outcome_OUTCOME_NOT_DONE, Leader: &ballastv1.LeaderHint{ClientAddress: leader},
	})
}

func (e *exchange) notDone(code codes.Code, retryAfter time.Duration) {
	e.fail(code, &ballastv1.Failure{Outcome: ballastv1.Outcome_OUTCOME_NOT_DONE, RetryAfter: durationpb.New(retryAfter)})
}

// errBreak ends the stream on which it is returned.
var errBreak = status.Error(codes.Unavailable, "scripted break")

// fakeMember is a gRPC server on loopback that answers by a script.
type fakeMember struct {
	ballastv1.UnimplementedMoneyServiceServer
	ballastv1.UnimplementedOperatorServiceServer
	ballastv1.UnimplementedBooksServiceServer
	store    *fakeStore
	address  string
	script   atomic.Pointer[func(*exchange) error]
	requests atomic.Int64
	read     func(context.Context) error // before each unary read
	status   *ballastv1.StatusResponse
	books    books
	take     func(context.Context, *ballastv1.TakeSnapshotRequest) (index uint64, err error)
	watch    func(*ballastv1.WatchRequest, grpc.ServerStreamingServer[ballastv1.WatchResponse]) error
}

func (m *fakeMember) Watch(r *ballastv1.WatchRequest, stream grpc.ServerStreamingServer[ballastv1.WatchResponse]) error {
	return m.watch(r, stream)
}

func (m *fakeMember) TakeSnapshot(ctx context.Context, r *ballastv1.TakeSnapshotRequest) (*ballastv1.TakeSnapshotResponse, error) {
	index, err := m.take(ctx, r)
	return &ballastv1.TakeSnapshotResponse{Index: index}, err
}

func (m *fakeMember) SubmitStream(stream ballastv1.MoneyService_SubmitStreamServer) error {
	var mu sync.Mutex
	send := func(r *ballastv1.SubmitStreamResponse) {
		mu.Lock()
		defer mu.Unlock()
		_ = stream.Send(r)
	}
	for {
		request, err := stream.Recv()
		if err != nil {
			return nil
		}
		e := &exchange{member: m, request: request, number: int(m.requests.Add(1)), send: send}
		if err := (*m.script.Load())(e); err != nil {
			return err
		}
	}
}

func (m *fakeMember) play(script func(*exchange) error) { m.script.Store(&script) }

func serve(e *exchange) error {
	e.serve()
	return nil
}

func (m *fakeMember) beforeRead(ctx context.Context) error {
	if m.read == nil {
		return nil
	}
	return m.read(ctx)
}

func (m *fakeMember) GetAccounts(ctx context.Context, r *ballastv1.GetAccountsRequest) (*ballastv1.GetAccountsResponse, error) {
	if err := m.beforeRead(ctx); err != nil {
		return nil, err
	}
	answer := &ballastv1.GetAccountsResponse{State: &ballastv1.ReadState{
		Index: 7, Stale: r.GetConsistency() == ballastv1.Consistency_CONSISTENCY_STALE,
	}}
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	for _, id := range r.GetIds() {
		if balance, ok := m.store.balances[id]; ok {
			answer.Accounts = append(answer.Accounts, &ballastv1.Account{Id: id, Posted: balance, Available: balance})
		} else {
			answer.Unknown = append(answer.Unknown, id)
		}
	}
	return answer, nil
}

// ListAccounts lists a-000 to a-024 by pages.
func (m *fakeMember) ListAccounts(ctx context.Context, r *ballastv1.ListAccountsRequest) (*ballastv1.ListAccountsResponse, error) {
	if err := m.beforeRead(ctx); err != nil {
		return nil, err
	}
	page := &ballastv1.ListAccountsResponse{State: &ballastv1.ReadState{Index: 7}}
	for i := range 25 {
		id := fmt.Sprintf("a-%03d", i)
		if !strings.HasPrefix(id, r.GetPrefix()) || id <= r.GetPageToken() {
			continue
		}
		if len(page.Accounts) == int(r.GetPageSize()) {
			page.NextPageToken = page.Accounts[len(page.Accounts)-1].GetId()
			break
		}
		page.Accounts = append(page.Accounts, &ballastv1.Account{Id: id})
	}
	return page, nil
}

// GetStatement lists entries 25 to 1 of "alice" by pages.
func (m *fakeMember) GetStatement(_ context.Context, r *ballastv1.GetStatementRequest) (*ballastv1.GetStatementResponse, error) {
	if r.GetAccount() != "alice" {
		return nil, status.Error(codes.NotFound, "no such account")
	}
	if r.GetForward() {
		page := &ballastv1.GetStatementResponse{}
		at := r.GetAfterSequence()
		for ; at < 25 && len(page.Entries) < int(r.GetPageSize()); at++ {
			page.Entries = append(page.Entries, &ballastv1.Entry{Sequence: at + 1, LogTime: r.GetFromTime()})
		}
		if at < 25 {
			page.NextAfterSequence = at
		}
		return page, nil
	}
	from := uint64(25)
	if r.GetBeforeSequence() > 0 {
		from = r.GetBeforeSequence() - 1
	}
	page := &ballastv1.GetStatementResponse{}
	for ; from > 0 && len(page.Entries) < int(r.GetPageSize()); from-- {
		page.Entries = append(page.Entries, &ballastv1.Entry{Sequence: from})
	}
	if from > 0 {
		page.NextBeforeSequence = from + 1
	}
	return page, nil
}

// GetPastBalance answers with what was asked.
func (m *fakeMember) GetPastBalance(_ context.Context, r *ballastv1.GetPastBalanceRequest) (*ballastv1.GetPastBalanceResponse, error) {
	if r.GetAccount() != "alice" {
		return nil, status.Error(codes.NotFound, "no such account")
	}
	return &ballastv1.GetPastBalanceResponse{
		Sequence: r.GetSequence(), Posted: r.GetTime(),
		State: &ballastv1.ReadState{Stale: r.GetConsistency() == ballastv1.Consistency_CONSISTENCY_STALE},
	}, nil
}

func (m *fakeMember) GetOperation(_ context.Context, r *ballastv1.GetOperationRequest) (*ballastv1.GetOperationResponse, error) {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	known := m.store.answers[r.GetId()]
	return &ballastv1.GetOperationResponse{Known: known != nil, Result: known}, nil
}

func (m *fakeMember) Status(context.Context, *ballastv1.StatusRequest) (*ballastv1.StatusResponse, error) {
	if m.status == nil {
		return nil, status.Error(codes.Unavailable, "scripted")
	}
	return m.status, nil
}

// startFake starts n members that share one store and all serve. They stop before stop returns.
func startFake(n int) (store *fakeStore, members []*fakeMember, stop func()) {
	store = newFakeStore()
	var stops []func()
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		member := &fakeMember{store: store, address: listener.Addr().String()}
		member.play(serve)
		server := grpc.NewServer()
		ballastv1.RegisterMoneyServiceServer(server, member)
		ballastv1.RegisterOperatorServiceServer(server, member)
		ballastv1.RegisterBooksServiceServer(server, member)
		var wg sync.WaitGroup
		wg.Go(func() { _ = server.Serve(listener) })
		stops = append(stops, func() {
			server.Stop()
			wg.Wait()
		})
		members = append(members, member)
	}
	return store, members, func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// startTest starts n members and a client of the first `known` of them.
func startTest(t *testing.T, n, known int, options ...client.Option) (*client.Client, *fakeStore, []*fakeMember) {
	t.Helper()
	store, members, stop := startFake(n)
	t.Cleanup(stop)
	var endpoints []string
	for _, m := range members[:known] {
		endpoints = append(endpoints, m.address)
	}
	c, err := client.New(endpoints, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	store.balances["alice"] = 0
	return c, store, members
}
