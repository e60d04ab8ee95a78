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
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.begin(request); err != nil {
			return err
		}
	}
}

// begin starts one request. An error ends the stream: its requests are then of unknown outcome to the caller.
func (s *submitStream) begin(request *ballastv1.SubmitStreamRequest) error {
	tag, operations := request.GetTag(), request.GetOperations()
	if !s.claim(tag) {
		return invalidTag(tag)
	}
	weight := min(int64(len(operations)), s.money.cfg.StreamOperations)
	if err := s.room(weight); err != nil {
		return err
	}
	done := func() { s.requests.Release(1); s.operations.Release(weight) }
	if timeout := request.GetTimeout(); timeout < 0 {
		defer done()
		return s.reply(tag, nil, invalid("timeout: want 0 or more nanoseconds, found %d", timeout))
	}
	ctx, cancel := s.money.bounded(s.stream.Context(), time.Duration(request.GetTimeout()))
	ticket, failure := s.money.admit(ctx, operations)
	if failure != nil {
		defer done()
		defer cancel()
		return s.reply(tag, nil, failure)
	}
	s.answers.Go(func() {
		defer done()
		defer cancel()
		response, failure := s.money.answer(ticket, operations)
		// A send fails when the stream is over, and then Recv fails too and ends the handler.
		_ = s.reply(tag, response, failure)
	})
	return nil
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

// reply answers a request. Its tag is free again before the answer can arrive.
func (s *submitStream) reply(tag uint64, response *ballastv1.SubmitResponse, failure *Failure) error {
	s.mu.Lock()
	delete(s.tags, tag)
	s.mu.Unlock()
	answer := &ballastv1.SubmitStreamResponse{Tag: tag}
	if failure != nil {
		answer.Outcome = &ballastv1.SubmitStreamResponse_Failure{Failure: failure.stream()}
	} else {
		answer.Outcome = &ballastv1.SubmitStreamResponse_Response{Response: response}
	}
	s.send.Lock()
	defer s.send.Unlock()
	return s.stream.Send(answer)
}

// invalidTag ends a stream on which a tag names two requests: an answer to either could be taken for the other's.
func invalidTag(tag uint64) *Failure {
	f := invalid("tag: want one that no unanswered request of the stream has, found %d twice: the stream ends", tag)
	f.Outcome = ballastv1.Outcome_OUTCOME_UNKNOWN
	return f
}
