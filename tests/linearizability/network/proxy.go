package network

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// proxy passes the calls of clients on to one member.
type proxy struct {
	ballastv1.UnimplementedMoneyServiceServer
	network *Network
	member  *member
}

// pass makes a unary call through the gates.
func pass[Request, Response any](ctx context.Context, p *proxy, request Request, call func(context.Context, Request) (Response, error)) (Response, error) {
	var none Response
	if err := p.member.requests.wait(ctx); err != nil {
		return none, status.Error(codes.Unavailable, errHeld.Error())
	}
	response, err := call(ctx, request)
	if gateErr := p.member.answers.wait(ctx); gateErr != nil {
		return none, status.Error(codes.Unavailable, "the answer was held until its caller left")
	}
	return response, err
}

// Submit passes a batch on, late where the plan says so, and may have it delivered again.
func (p *proxy) Submit(ctx context.Context, request *ballastv1.SubmitRequest) (*ballastv1.SubmitResponse, error) {
	ops := request.GetOperations()
	f := p.before(ctx, ops)
	response, err := pass(ctx, p, request, func(ctx context.Context, r *ballastv1.SubmitRequest) (*ballastv1.SubmitResponse, error) {
		return p.member.money.Submit(ctx, r)
	})
	p.after(f, ops, response.GetResults())
	return response, err
}

// before delays a request as planned.
func (p *proxy) before(ctx context.Context, ops []*ballastv1.Operation) fate {
	if len(ops) == 0 {
		return fate{}
	}
	f := p.network.plan.fate(ops[0])
	if f.delay > 0 {
		timer := time.NewTimer(f.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return f
}

// after plans a late copy once the answer is known.
func (p *proxy) after(f fate, ops []*ballastv1.Operation, results []*ballastv1.Result) {
	refused := false
	for _, r := range results {
		refused = refused || r.GetCode() != ballastv1.ResultCode_RESULT_CODE_APPLIED
	}
	if f.copied || refused && f.copiedRefused {
		p.network.deliverAgain(ops, f.copyAfter)
	}
}

// SubmitStream passes a stream on, request by request.
func (p *proxy) SubmitStream(client ballastv1.MoneyService_SubmitStreamServer) error {
	ctx, cancel := context.WithCancel(client.Context())
	defer cancel()
	upstream, err := p.member.money.SubmitStream(ctx)
	if err != nil {
		return err
	}
	s := &stream{proxy: p, client: client, upstream: upstream, waiting: map[uint64]waiting{}}
	p.network.serving.Go(func() { s.passRequests(ctx) }) // ends when this call does: Recv fails then
	return s.passAnswers(ctx)
}

// stream is one SubmitStream on its way.
type stream struct {
	proxy    *proxy
	client   ballastv1.MoneyService_SubmitStreamServer
	upstream ballastv1.MoneyService_SubmitStreamClient
	delayed  sync.WaitGroup

	sending sync.Mutex // upstream.Send

	mu      sync.Mutex
	waiting map[uint64]waiting // by tag
}

type waiting struct {
	fate fate
	ops  []*ballastv1.Operation
}

// passRequests passes requests on; a delayed one is overtaken by those that follow it.
func (s *stream) passRequests(ctx context.Context) {
	for {
		request, err := s.client.Recv()
		if err != nil {
			s.delayed.Wait()
			if errors.Is(err, io.EOF) {
				_ = s.upstream.CloseSend() // passAnswers learns why a stream has ended
			}
			return
		}
		s.delayed.Go(func() {
			f := s.proxy.before(ctx, request.GetOperations())
			if s.proxy.member.requests.wait(ctx) != nil {
				return
			}
			s.mu.Lock()
			s.waiting[request.GetTag()] = waiting{f, request.GetOperations()}
			s.mu.Unlock()
			s.sending.Lock()
			defer s.sending.Unlock()
			_ = s.upstream.Send(request)
		})
	}
}

func (s *stream) passAnswers(ctx context.Context) error {
	for {
		answer, err := s.upstream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.mu.Lock()
		w, ok := s.waiting[answer.GetTag()]
		delete(s.waiting, answer.GetTag())
		s.mu.Unlock()
		if ok {
			s.proxy.after(w.fate, w.ops, answer.GetResponse().GetResults())
		}
		if err := s.proxy.member.answers.wait(ctx); err != nil {
			return err
		}
		if err := s.client.Send(answer); err != nil {
			return err
		}
	}
}

// GetAccounts passes a read on.
func (p *proxy) GetAccounts(ctx context.Context, r *ballastv1.GetAccountsRequest) (*ballastv1.GetAccountsResponse, error) {
	return pass(ctx, p, r, func(ctx context.Context, r *ballastv1.GetAccountsRequest) (*ballastv1.GetAccountsResponse, error) {
		return p.member.money.GetAccounts(ctx, r)
	})
}

// ListAccounts passes a read on.
func (p *proxy) ListAccounts(ctx context.Context, r *ballastv1.ListAccountsRequest) (*ballastv1.ListAccountsResponse, error) {
	return pass(ctx, p, r, func(ctx context.Context, r *ballastv1.ListAccountsRequest) (*ballastv1.ListAccountsResponse, error) {
		return p.member.money.ListAccounts(ctx, r)
	})
}

// GetStatement passes a read on.
func (p *proxy) GetStatement(ctx context.Context, r *ballastv1.GetStatementRequest) (*ballastv1.GetStatementResponse, error) {
	return pass(ctx, p, r, func(ctx context.Context, r *ballastv1.GetStatementRequest) (*ballastv1.GetStatementResponse, error) {
		return p.member.money.GetStatement(ctx, r)
	})
}

// GetOperation passes a read on.
func (p *proxy) GetOperation(ctx context.Context, r *ballastv1.GetOperationRequest) (*ballastv1.GetOperationResponse, error) {
	return pass(ctx, p, r, func(ctx context.Context, r *ballastv1.GetOperationRequest) (*ballastv1.GetOperationResponse, error) {
		return p.member.money.GetOperation(ctx, r)
	})
}
