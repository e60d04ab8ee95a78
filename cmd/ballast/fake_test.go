package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// fakeCluster is one member that answers as a cluster would: a ledger of one asset, in memory.
type fakeCluster struct {
	ballastv1.UnimplementedMoneyServiceServer
	ballastv1.UnimplementedOperatorServiceServer
	ballastv1.UnimplementedBooksServiceServer

	mu       sync.Mutex
	ledgers  []*ballastv1.Ledger
	accounts map[string]*ballastv1.Account
	order    []string
	entries  []*ballastv1.Entry
	results  map[string]*ballastv1.Result
	sent     []*ballastv1.Operation
	// fail ends submits; nil: they succeed. failRead ends linearizable reads.
	fail, failRead error
	status         *ballastv1.StatusResponse
	answerNothing  bool
	settings       *ballastv1.Settings
	backup         []byte
	// awaited is called by whoever waits for a snapshot; nil: nobody waits.
	awaited func(context.Context)
	marks   uint64
	report  *ballastv1.SnapshotReport
	looked  func() // called once by who asks for the status
	audit   []*ballastv1.AuditEntry
	behind  time.Duration // log time is
	// examined is what it finds when it looks at itself; nil: it cannot.
	examined *ballastv1.ExamineResponse
	debug    []*ballastv1.CollectDebugResponse
	watched  *ballastv1.WatchRequest
	asked    *ballastv1.GetStatementRequest
}

func (f *fakeCluster) TakeSnapshot(ctx context.Context, r *ballastv1.TakeSnapshotRequest) (*ballastv1.TakeSnapshotResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.GetAtOnce() {
		f.marks++
		return &ballastv1.TakeSnapshotResponse{Index: f.marks}, nil
	}
	if f.awaited != nil {
		f.mu.Unlock()
		f.awaited(ctx)
		f.mu.Lock()
	}
	return &ballastv1.TakeSnapshotResponse{Index: r.GetNotBefore() + 10}, ctx.Err()
}

// InspectSnapshot tells f.report, and with verify first how far it is.
func (f *fakeCluster) InspectSnapshot(r *ballastv1.InspectSnapshotRequest, stream grpc.ServerStreamingServer[ballastv1.InspectSnapshotResponse]) error {
	if r.GetVerify() {
		if err := stream.Send(&ballastv1.InspectSnapshotResponse{ReadBytes: 1, OfBytes: 2}); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return stream.Send(&ballastv1.InspectSnapshotResponse{Report: f.report})
}

const fakeTime = 1_700_000_000_000_000_000

// startFake serves a fake cluster on loopback and returns its address.
func startFake(t *testing.T) (*fakeCluster, string) {
	t.Helper()
	f := &fakeCluster{
		ledgers:  []*ballastv1.Ledger{{Name: "usd", Asset: "USD", Scale: 2}},
		accounts: map[string]*ballastv1.Account{}, results: map[string]*ballastv1.Result{},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	ballastv1.RegisterMoneyServiceServer(server, f)
	ballastv1.RegisterOperatorServiceServer(server, f)
	ballastv1.RegisterBooksServiceServer(server, f)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return f, listener.Addr().String()
}

func (f *fakeCluster) open(id string, posted, floor int64) *ballastv1.Account {
	a := &ballastv1.Account{Id: id, Ledger: "usd", Scale: 2, Posted: posted, Floor: floor, Available: posted - floor, Version: 1}
	f.accounts[id] = a
	f.order = append(f.order, id)
	return a
}

func (f *fakeCluster) Submit(_ context.Context, request *ballastv1.SubmitRequest) (*ballastv1.SubmitResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, request.GetOperations()...)
	if f.fail != nil {
		return nil, f.fail
	}
	response := &ballastv1.SubmitResponse{LogTime: fakeTime}
	for _, op := range request.GetOperations() {
		response.Results = append(response.Results, f.answer(op))
	}
	return response, nil
}

func (f *fakeCluster) SubmitStream(stream grpc.BidiStreamingServer[ballastv1.SubmitStreamRequest, ballastv1.SubmitStreamResponse]) error {
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		f.mu.Lock()
		silent := f.answerNothing
		f.mu.Unlock()
		if silent {
			continue
		}
		answer := &ballastv1.SubmitStreamResponse{Tag: request.GetTag()}
		response, err := f.Submit(stream.Context(), &ballastv1.SubmitRequest{Operations: request.GetOperations()})
		if err != nil {
			st := status.Convert(err)
			failure := &ballastv1.StreamFailure{Code: int32(st.Code()), Message: st.Message()}
			for _, detail := range st.Details() {
				if d, ok := detail.(*ballastv1.Failure); ok {
					failure.Failure = d
				}
			}
			answer.Outcome = &ballastv1.SubmitStreamResponse_Failure{Failure: failure}
		} else {
			answer.Outcome = &ballastv1.SubmitStreamResponse_Response{Response: response}
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func (f *fakeCluster) answer(op *ballastv1.Operation) *ballastv1.Result {
	if known := f.results[op.GetId()]; known != nil {
		return &ballastv1.Result{
			Code: known.GetCode(), Replayed: true, Attempt: known.GetAttempt(), Sequence: known.GetSequence(),
			DebitPosted: known.GetDebitPosted(), CreditPosted: known.GetCreditPosted(), Available: known.GetAvailable(),
		}
	}
	result := f.apply(op)
	if result.GetCode() == ballastv1.ResultCode_RESULT_CODE_UNSPECIFIED {
		result.Code = ballastv1.ResultCode_RESULT_CODE_APPLIED
		result.Sequence = uint64(len(f.results) + 1)
	}
	result.Attempt = op.GetAttempt()
	f.results[op.GetId()] = result
	return result
}

func refused(code ballastv1.ResultCode, account string) *ballastv1.Result {
	return &ballastv1.Result{Code: code, Account: account}
}

func (f *fakeCluster) apply(op *ballastv1.Operation) *ballastv1.Result {
	switch kind := op.GetKind().(type) {
	case *ballastv1.Operation_CreateLedger:
		for _, l := range f.ledgers {
			if l.GetName() == kind.CreateLedger.GetName() {
				return refused(ballastv1.ResultCode_RESULT_CODE_LEDGER_EXISTS, "")
			}
		}
		f.ledgers = append(f.ledgers, &ballastv1.Ledger{
			Name: kind.CreateLedger.GetName(), Asset: kind.CreateLedger.GetAsset(), Scale: kind.CreateLedger.GetScale(),
		})
		return &ballastv1.Result{}
	case *ballastv1.Operation_CreateAccount:
		id := kind.CreateAccount.GetAccount()
		if f.accounts[id] != nil {
			return refused(ballastv1.ResultCode_RESULT_CODE_ACCOUNT_EXISTS, id)
		}
		f.open(id, 0, kind.CreateAccount.GetFloor()).Ceiling = kind.CreateAccount.Ceiling
		return &ballastv1.Result{}
	case *ballastv1.Operation_Credit:
		return f.move(op, "", kind.Credit.GetAccount(), kind.Credit.GetAmount())
	case *ballastv1.Operation_Debit:
		return f.move(op, kind.Debit.GetAccount(), "", kind.Debit.GetAmount())
	case *ballastv1.Operation_Transfer:
		return f.move(op, kind.Transfer.GetDebitAccount(), kind.Transfer.GetCreditAccount(), kind.Transfer.GetAmount())
	case *ballastv1.Operation_SetLimits:
		a := f.accounts[kind.SetLimits.GetAccount()]
		if kind.SetLimits.Floor != nil {
			a.Floor = kind.SetLimits.GetFloor()
		}
		a.Available = a.GetPosted() - a.GetFloor()
		return &ballastv1.Result{}
	case *ballastv1.Operation_SetFrozen:
		a := f.accounts[kind.SetFrozen.GetAccount()]
		a.Frozen, a.FrozenCredits = kind.SetFrozen.GetFrozen(), kind.SetFrozen.GetCreditsToo()
		return &ballastv1.Result{}
	case *ballastv1.Operation_CloseAccount:
		if id := kind.CloseAccount.GetAccount(); f.accounts[id].GetPosted() != 0 {
			return refused(ballastv1.ResultCode_RESULT_CODE_NOT_EMPTY, id)
		}
		return &ballastv1.Result{}
	}
	panic(fmt.Sprintf("unexpected operation %v", op))
}

func (f *fakeCluster) move(op *ballastv1.Operation, from, to string, amount int64) *ballastv1.Result {
	result := &ballastv1.Result{}
	entry := &ballastv1.Entry{
		Sequence: uint64(len(f.results) + 1), LogTime: fakeTime, OperationId: op.GetId(), Amount: amount,
		EventTime: op.GetEventTime(), Code: op.GetCode(), Reference: op.GetReference(), Ledger: "usd", Scale: 2,
		Kind: ballastv1.EntryKind_ENTRY_KIND_TRANSFER, DebitAccount: "@usd/credits", CreditAccount: "@usd/debits",
	}
	if to != "" && f.accounts[to] == nil {
		return refused(ballastv1.ResultCode_RESULT_CODE_UNKNOWN_ACCOUNT, to)
	}
	if a := f.accounts[from]; a != nil {
		if a.GetAvailable() < amount {
			result = refused(ballastv1.ResultCode_RESULT_CODE_INSUFFICIENT_FUNDS, from)
			result.Asked, result.Available = amount, a.GetAvailable()
			return result
		}
		a.Posted -= amount
		a.Available -= amount
		a.Version++
		result.DebitPosted, result.Available = a.GetPosted(), a.GetAvailable()
		entry.DebitAccount, entry.DebitPosted, entry.Kind = from, a.GetPosted(), ballastv1.EntryKind_ENTRY_KIND_DEBIT
	}
	if to != "" {
		a := f.accounts[to]
		a.Posted += amount
		a.Available += amount
		a.Version++
		result.CreditPosted = a.GetPosted()
		if from == "" {
			result.Available = a.GetAvailable()
		}
		entry.CreditAccount, entry.CreditPosted, entry.Kind = to, a.GetPosted(), ballastv1.EntryKind_ENTRY_KIND_CREDIT
	}
	f.entries = append(f.entries, entry)
	return result
}

// Watch tells the entries in one part, and beats.
func (f *fakeCluster) Watch(r *ballastv1.WatchRequest, stream grpc.ServerStreamingServer[ballastv1.WatchResponse]) error {
	f.mu.Lock()
	f.watched = r
	part := &ballastv1.WatchResponse{Sequence: r.GetAfterSequence(), Index: 17, LogTime: fakeTime}
	for _, e := range f.entries {
		if part.NewestSequence = e.GetSequence(); e.GetSequence() > r.GetAfterSequence() {
			part.Entries, part.Sequence = append(part.Entries, e), e.GetSequence()
		}
	}
	part.Link = part.GetSequence() + 0xabc
	fail := f.failRead
	f.mu.Unlock()
	if fail != nil {
		return fail
	}
	if err := stream.Send(part); err != nil {
		return err
	}
	<-stream.Context().Done()
	return stream.Context().Err()
}

func (f *fakeCluster) read(consistency ballastv1.Consistency) (*ballastv1.ReadState, error) {
	stale := consistency == ballastv1.Consistency_CONSISTENCY_STALE
	if !stale && f.failRead != nil {
		return nil, f.failRead
	}
	state := &ballastv1.ReadState{Index: 17, LogTime: fakeTime, Stale: stale}
	if stale {
		state.Age = 1_500_000_000
	}
	return state, nil
}

func (f *fakeCluster) GetAccounts(_ context.Context, request *ballastv1.GetAccountsRequest) (*ballastv1.GetAccountsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, err := f.read(request.GetConsistency())
	if err != nil {
		return nil, err
	}
	response := &ballastv1.GetAccountsResponse{State: state}
	for _, id := range request.GetIds() {
		if a := f.accounts[id]; a != nil {
			response.Accounts = append(response.Accounts, a)
		} else {
			response.Unknown = append(response.Unknown, id)
		}
	}
	return response, nil
}

// ListAccounts serves pages of two, whatever was asked for.
func (f *fakeCluster) ListAccounts(_ context.Context, request *ballastv1.ListAccountsRequest) (*ballastv1.ListAccountsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, err := f.read(request.GetConsistency())
	if err != nil {
		return nil, err
	}
	response := &ballastv1.ListAccountsResponse{State: state}
	for _, id := range f.order {
		a := f.accounts[id]
		if id <= request.GetPageToken() || !strings.HasPrefix(id, request.GetPrefix()) || a.GetSystem() && !request.GetIncludeSystem() ||
			request.GetLedger() != "" && request.GetLedger() != a.GetLedger() {
			continue
		}
		if len(response.Accounts) == 2 {
			response.NextPageToken = response.GetAccounts()[1].GetId()
			break
		}
		response.Accounts = append(response.Accounts, a)
	}
	return response, nil
}

func (f *fakeCluster) GetStatement(_ context.Context, request *ballastv1.GetStatementRequest) (*ballastv1.GetStatementResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = request
	response := &ballastv1.GetStatementResponse{Scale: 2}
	for i := len(f.entries) - 1; i >= 0; i-- {
		e := f.entries[i]
		if e.GetDebitAccount() == request.GetAccount() || e.GetCreditAccount() == request.GetAccount() {
			response.Entries = append(response.Entries, e)
		}
	}
	return response, nil
}

// GetPastBalance answers that of alice; she was opened by entry 3 at fakeTime.
func (f *fakeCluster) GetPastBalance(_ context.Context, r *ballastv1.GetPastBalanceRequest) (*ballastv1.GetPastBalanceResponse, error) {
	state, err := f.read(r.GetConsistency())
	if r.GetAccount() != "alice" || r.GetTime() == 0 && r.GetSequence() < 3 || r.GetTime() != 0 && r.GetTime() < fakeTime {
		err = status.Error(codes.NotFound, "no such account")
	}
	return &ballastv1.GetPastBalanceResponse{
		Posted: 1250, Ledger: "usd", Scale: 2, Sequence: 7, LastSequence: 5, Final: r.GetTime() == 0, State: state,
	}, err
}

func (f *fakeCluster) GetOperation(_ context.Context, request *ballastv1.GetOperationRequest) (*ballastv1.GetOperationResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	result := f.results[request.GetId()]
	return &ballastv1.GetOperationResponse{Known: result != nil, Result: result, Horizon: fakeTime}, nil
}

func (f *fakeCluster) ListLedgers(_ context.Context, request *ballastv1.ListLedgersRequest) (*ballastv1.ListLedgersResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, err := f.read(request.GetConsistency())
	return &ballastv1.ListLedgersResponse{Ledgers: f.ledgers, State: state}, err
}

func (f *fakeCluster) Status(context.Context, *ballastv1.StatusRequest) (*ballastv1.StatusResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.looked != nil {
		f.looked()
		f.looked = nil
	}
	if f.status == nil {
		return nil, status.Error(codes.Unavailable, "starting")
	}
	return f.status, nil
}

func (f *fakeCluster) TransferLeadership(_ context.Context, request *ballastv1.TransferLeadershipRequest) (*ballastv1.TransferLeadershipResponse, error) {
	if request.GetName() == "node-9" {
		return nil, status.Error(codes.FailedPrecondition, `there is no voter "node-9"`)
	}
	return &ballastv1.TransferLeadershipResponse{Name: request.GetName()}, nil
}

// failure is a status with the detail that says what the call may have done.
func failure(code codes.Code, message string, outcome ballastv1.Outcome) error {
	st, err := status.New(code, message).WithDetails(&ballastv1.Failure{Outcome: outcome})
	if err != nil {
		panic(err)
	}
	return st.Err()
}
