package server

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// submitStream is one SubmitStream. Its handler's goroutine receives and admits, in the order of the stream; each
// admitted request has a goroutine that waits and answers.
type submitStream struct {
	money  *Money
	stream grpc.BidiStreamingServer[ballastv1.SubmitStreamRequest, ballastv1.SubmitStreamResponse]
	// requests and operations bound what is unanswered. Past them the stream is not read.
	requests, operations *semaphore.Weighted
	answers              sync.WaitGroup

	send sync.Mutex // one Send at a time

	mu   sync.Mutex
	tags map[uint64]struct{} // of unanswered requests
}

// SubmitStream is ballastv1.MoneyServiceServer's.
func (m *Money) SubmitStream(
	stream grpc.BidiStreamingServer[ballastv1.SubmitStreamRequest, ballastv1.SubmitStreamResponse],
) error {
	s := &submitStream{
		money: m, stream: stream, tags: map[uint64]struct{}{},
		requests:   semaphore.NewWeighted(m.cfg.StreamRequests),
		operations: semaphore.NewWeighted(m.cfg.StreamOperations),
	}
	defer s.answers.Wait()
	for {
		frame := &streamFrame{}
		err := stream.RecvMsg(frame)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		request, err := readStreamRequest(frame.data)
		if err != nil {
			return undecodable(err)
		}
		if err := s.begin(&request); err != nil {
			return err
		}
	}
}

// begin starts one request. An error ends the stream: its requests are then of unknown outcome to the caller.
func (s *submitStream) begin(request *streamRequest) error {
	tag, operations := request.tag, &request.operations
	if !s.claim(tag) {
		return invalidTag(tag)
	}
	weight := min(int64(operations.count()), s.money.cfg.StreamOperations)
	if err := s.room(weight); err != nil {
		return err
	}
	done := func() { s.requests.Release(1); s.operations.Release(weight) }
	if timeout := request.timeout; timeout < 0 {
		defer done()
		return s.refuse(tag, invalid("timeout: want 0 or more nanoseconds, found %d", timeout))
	}
	ctx, cancel := s.money.bounded(s.stream.Context(), time.Duration(request.timeout))
	ticket, failure, err := s.admit(ctx, operations)
	if err != nil || failure != nil {
		defer done()
		defer cancel()
		if err != nil {
			return undecodable(err)
		}
		return s.refuse(tag, failure)
	}
	s.answers.Go(func() {
		defer done()
		defer cancel()
		// A send fails when the stream is over, and then RecvMsg fails too and ends the handler.
		if applied, failure := s.money.wait(ticket); failure != nil {
			_ = s.refuse(tag, failure)
		} else {
			_ = s.reply(tag, appliedAnswer(tag, applied, naming{operations.account, s.money.accountAt}))
		}
	})
	return nil
}

// admit checks operations and queues them. err: they do not decode.
func (s *submitStream) admit(ctx context.Context, operations *wireOperations) (*Ticket, *Failure, error) {
	if failure := s.money.cfg.Gate.passWrite(); failure != nil {
		return nil, s.money.hinted(failure), nil
	}
	encoded, failure, err := operations.encode(s.money.admission(ctx))
	if err != nil || failure != nil {
		return nil, failure, err
	}
	ticket, failure := s.money.admit(ctx, encoded, operations.count())
	return ticket, failure, nil
}

// room waits until the request may be begun; the caller feels it as flow control.
func (s *submitStream) room(weight int64) error {
	ctx := s.stream.Context()
	if err := s.requests.Acquire(ctx, 1); err != nil {
		return contextFailure(context.Cause(ctx), ballastv1.Outcome_OUTCOME_UNKNOWN)
	}
	if err := s.operations.Acquire(ctx, weight); err != nil {
		s.requests.Release(1)
		return contextFailure(context.Cause(ctx), ballastv1.Outcome_OUTCOME_UNKNOWN)
	}
	return nil
}

// claim takes a tag; false: an unanswered request has it.
func (s *submitStream) claim(tag uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.tags[tag]; taken {
		return false
	}
	s.tags[tag] = struct{}{}
	return true
}

// refuse answers a request that failed.
func (s *submitStream) refuse(tag uint64, failure *Failure) error {
	answer, err := failedAnswer(tag, failure)
	if err != nil {
		return err
	}
	return s.reply(tag, answer)
}

// reply answers a request. Its tag is free again before the answer can arrive.
func (s *submitStream) reply(tag uint64, answer streamAnswer) error {
	s.mu.Lock()
	delete(s.tags, tag)
	s.mu.Unlock()
	s.send.Lock()
	defer s.send.Unlock()
	return s.stream.SendMsg(answer)
}

// invalidTag ends a stream on which a tag names two requests: an answer to either could be taken for the other's.
func invalidTag(tag uint64) *Failure {
	f := invalid("tag: want one that no unanswered request of the stream has, found %d twice: the stream ends", tag)
	f.Outcome = ballastv1.Outcome_OUTCOME_UNKNOWN
	return f
}
