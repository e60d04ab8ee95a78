package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"

	"github.com/ballastdb/ballast/internal/guard"
)

// service answers the other members.
type service struct {
	raftv1.UnimplementedRaftServiceServer
	transport *Transport

	mu       sync.Mutex
	refusals map[string]struct{} // already logged
}

// maxRefusalsSaid bounds what logRefusal remembers.
const maxRefusalsSaid = 64

// admit refuses a message that is not for this member.
func (s *service) admit(ctx context.Context, e *raftv1.Envelope, from *raftv1.Header) error {
	var id []byte
	if from != nil {
		id = from.GetId()
	}
	err := s.admitID(ctx, e, id)
	if err != nil && from != nil && string(e.GetClusterId()) == string(s.transport.config.ClusterID[:]) && s.transport.config.checkCaller(ctx, id) == nil {
		s.transport.config.Misaddressed(raft.ServerID(id), raft.ServerAddress(from.GetAddr()))
	}
	return err
}

func (s *service) admitID(ctx context.Context, e *raftv1.Envelope, id []byte) error {
	err := s.transport.config.check(e, id)
	if err == nil {
		err = s.transport.config.checkCaller(ctx, id)
	}
	if err == nil {
		return nil
	}
	s.logRefusal(string(id), err)
	return refuse(err)
}

// logRefusal says each thing once: whoever is refused comes again many times a second.
func (s *service) logRefusal(from string, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := from + why.Error()
	if _, said := s.refusals[key]; said {
		return
	}
	if s.refusals == nil || len(s.refusals) >= maxRefusalsSaid {
		s.refusals = map[string]struct{}{}
	}
	s.refusals[key] = struct{}{}
	s.transport.config.Logger.Warn("messages refused", "from", from, "reason", why)
}

// ask gives raft a message and waits for its answer, as long as the caller waits and the transport serves.
func (t *Transport) ask(ctx context.Context, command any) (any, error) {
	answer := make(chan raft.RPCResponse, 1)
	if err := t.hand(ctx, raft.RPC{Command: command, RespChan: answer}); err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		if r.Error != nil {
			return nil, raftError(r.Error)
		}
		return r.Response, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-t.calls.Done():
		return nil, stopping()
	}
}

// hand waits until raft's main loop takes a message. Heartbeats wait like all others.
func (t *Transport) hand(ctx context.Context, rpc raft.RPC) error {
	if !guard.On("695") && t.fastHeartbeat(rpc) {
		return nil
	}
	select {
	case t.consumer <- rpc:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.calls.Done():
		return stopping()
	}
}

// fastHeartbeat is the library's way, for the test that shows why it is not ours.
func (t *Transport) fastHeartbeat(rpc raft.RPC) bool {
	r, ok := rpc.Command.(*raft.AppendEntriesRequest)
	if !ok || !isHeartbeat(r) {
		return false
	}
	t.mu.Lock()
	handler := t.heartbeat
	t.mu.Unlock()
	if handler == nil {
		return false
	}
	handler(rpc)
	return true
}

// exchange asks raft and converts its answer, whose type it checks: raft must not be able to crash the handler.
func exchange[R, A any](ctx context.Context, t *Transport, command any, toWire func(*R) *A) (*A, error) {
	if !t.enter() {
		return nil, stopping()
	}
	defer t.running.Done()
	answer, err := t.ask(ctx, command)
	if err != nil {
		return nil, err
	}
	r, ok := answer.(*R)
	if !ok {
		return nil, raftError(fmt.Errorf("expected raft to answer with %T, found %T", r, answer))
	}
	return toWire(r), nil
}

// AppendEntries implements raftv1.RaftServiceServer.
func (s *service) AppendEntries(ctx context.Context, m *raftv1.AppendEntriesRequest) (*raftv1.AppendEntriesResponse, error) {
	if err := s.admit(ctx, m.GetEnvelope(), m.GetHeader()); err != nil {
		return nil, err
	}
	if len(m.GetEntries()) > 0 {
		if err := s.transport.config.Room(); err != nil {
			return nil, raftError(err)
		}
	}
	r, err := appendFromWire(m)
	if err != nil {
		return nil, invalid(err)
	}
	defer releaseAppend(r)
	if index, term := s.transport.config.Covered(); index > 0 {
		skipCovered(r, index, term)
	}
	answer, err := exchange(ctx, s.transport, r, appendAnswerToWire)
	if err == nil {
		told := s.transport.config.Tell()
		answer.SettledMark, answer.DamagedSnapshot = told.Settled, told.Damaged
	}
	return answer, err
}

// RequestVote implements raftv1.RaftServiceServer.
func (s *service) RequestVote(ctx context.Context, m *raftv1.RequestVoteRequest) (*raftv1.RequestVoteResponse, error) {
	if err := s.admit(ctx, m.GetEnvelope(), m.GetHeader()); err != nil {
		return nil, err
	}
	r := voteFromWire(m)
	r.LeadershipTransfer = r.LeadershipTransfer || s.silent() != ""
	return exchange(ctx, s.transport, r, voteAnswerToWire)
}

// RequestPreVote implements raftv1.RaftServiceServer.
func (s *service) RequestPreVote(ctx context.Context, m *raftv1.RequestPreVoteRequest) (*raftv1.RequestPreVoteResponse, error) {
	if err := s.admit(ctx, m.GetEnvelope(), m.GetHeader()); err != nil {
		return nil, err
	}
	r := preVoteFromWire(m)
	if leader := s.silent(); leader != "" {
		r.Addr = []byte(leader)
	}
	return exchange(ctx, s.transport, r, preVoteAnswerToWire)
}

// TimeoutNow implements raftv1.RaftServiceServer.
func (s *service) TimeoutNow(ctx context.Context, m *raftv1.TimeoutNowRequest) (*raftv1.TimeoutNowResponse, error) {
	if err := s.admit(ctx, m.GetEnvelope(), m.GetHeader()); err != nil {
		return nil, err
	}
	return exchange(ctx, s.transport, timeoutNowFromWire(m), timeoutNowAnswerToWire)
}

// ConfirmTerm implements raftv1.RaftServiceServer. The term is read here and now: after the question arrived.
func (s *service) ConfirmTerm(ctx context.Context, m *raftv1.ConfirmTermRequest) (*raftv1.ConfirmTermResponse, error) {
	if err := s.admitID(ctx, m.GetEnvelope(), nil); err != nil {
		return nil, err
	}
	return &raftv1.ConfirmTermResponse{Term: s.transport.config.CurrentTerm(), Clock: s.transport.config.Clock().UnixNano()}, nil
}

// AppendEntriesPipeline implements raftv1.RaftServiceServer: appends one after the other, until one is not a success.
func (s *service) AppendEntriesPipeline(stream raftv1.RaftService_AppendEntriesPipelineServer) error {
	t := s.transport
	if !t.enter() {
		return stopping()
	}
	defer t.running.Done()
	messages := receive(t, stream)
	for {
		select {
		case m := <-messages:
			if errors.Is(m.err, io.EOF) {
				return nil
			}
			if m.err != nil {
				return m.err
			}
			answer, err := s.AppendEntries(stream.Context(), m.message.GetRequest())
			if err != nil {
				return err
			}
			if err := stream.Send(&raftv1.AppendEntriesPipelineResponse{Response: answer}); err != nil {
				return err
			}
			if !answer.GetSuccess() {
				return nil
			}
		case <-t.calls.Done():
			return stopping()
		}
	}
}
