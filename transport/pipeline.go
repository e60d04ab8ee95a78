package transport

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"

	"github.com/ballastdb/ballast/internal/guard"
)

// answerBacklog is how many appends may be sent whose answers raft has not taken. Raft takes them as soon as it runs.
const answerBacklog = 64

// pipeline sends appends back to back on one stream.
//
// The library's own pipeline can stop for ever: after an answer that is not success raft takes no more answers, while
// its sender waits inside AppendEntries for room that only a taken answer makes. So here whatever ends the pipeline wakes
// everyone at once, and the reader, who learns of it, never waits for whom the answers are for.
//
// An append that fails is not handed to raft at all, because raft takes any answer, even a failed one, as a sign of life;
// raft learns of the failure at its next send, at most its CommitTimeout later.
type pipeline struct {
	peer   *peer
	stream grpc.BidiStreamingClient[raftv1.AppendEntriesPipelineRequest, raftv1.AppendEntriesPipelineResponse]
	ctx    context.Context // the stream's; its cause is why the pipeline ended
	end    context.CancelCauseFunc
	// closed is when raft wants no more answers. A pipeline that ended still hands out those that came before.
	closed context.Context
	close  context.CancelFunc

	// An append takes a place in slots until it is answered, and one in room until raft has taken the answer. inFlight
	// and answered are as wide as they, so whoever has a place never waits at them.
	slots    chan struct{}
	room     chan struct{}
	inFlight chan *appendFuture // sender to reader, in the order sent
	answered chan *appendFuture // reader to deliverer
	taken    chan raft.AppendFuture

	readerDone chan struct{}
	delivery   sync.WaitGroup
}

// appendFuture is one of raft's appends, in one or more messages.
type appendFuture struct {
	started time.Time
	request *raft.AppendEntriesRequest
	answer  *raft.AppendEntriesResponse
	parts   int
	bytes   int
	done    chan struct{}
	err     error
}

func (f *appendFuture) Error() error                          { <-f.done; return f.err }
func (f *appendFuture) Start() time.Time                      { return f.started }
func (f *appendFuture) Request() *raft.AppendEntriesRequest   { return f.request }
func (f *appendFuture) Response() *raft.AppendEntriesResponse { return f.answer }

func (f *appendFuture) finish(err error) {
	f.err = err
	close(f.done)
}

func openPipeline(p *peer) (*pipeline, error) {
	ctx, end := context.WithCancelCause(p.transport.calls)
	// The stream lives longer than the wait for it, so the bound is a timer beside its context.
	timer := time.AfterFunc(p.transport.config.Timeouts.Append, func() { end(errUnreachable) })
	stream, err := p.appends.client.AppendEntriesPipeline(ctx, grpc.WaitForReady(true))
	if !timer.Stop() && err == nil {
		err = errUnreachable
	}
	if err != nil {
		err = p.callError(ctx, "append pipeline", err)
		end(err)
		return nil, err
	}
	l := &pipeline{
		peer: p, stream: stream, ctx: ctx, end: end,
		slots:    make(chan struct{}, pipelineDepth),
		room:     make(chan struct{}, answerBacklog),
		inFlight: make(chan *appendFuture, pipelineDepth),
		answered: make(chan *appendFuture, answerBacklog),
		taken:    make(chan raft.AppendFuture),

		readerDone: make(chan struct{}),
	}
	l.closed, l.close = context.WithCancel(p.transport.calls)
	go l.readAnswers()
	l.delivery.Go(l.deliver)
	return l, nil
}

// AppendEntries sends an append once fewer than two are in flight. It fails at once when the pipeline has ended.
func (l *pipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	parts, err := l.peer.transport.config.split(args)
	if err != nil {
		return nil, l.peer.failed("append", err)
	}
	f := &appendFuture{
		started: time.Now(), request: args, answer: resp,
		parts: len(parts), bytes: appendBytes(args.Entries), done: make(chan struct{}),
	}
	if err := l.takePlace(); err != nil {
		return nil, err
	}
	l.inFlight <- f // from here the reader sees to it that sending takes no longer than allowed
	for _, part := range parts {
		m := appendToWire(l.peer.envelope(), part)
		m.LeaderCommitIndex = provenCommit(part)
		if err := l.stream.Send(&raftv1.AppendEntriesPipelineRequest{Request: m}); err != nil {
			if !errors.Is(err, io.EOF) { // EOF: the peer ended the stream, the reader learns why
				l.end(err)
			}
			return nil, l.abandon(f)
		}
	}
	if l.ctx.Err() != nil { // ended before f was queued, perhaps: nobody would finish it
		return nil, l.abandon(f)
	}
	return f, nil
}

// takePlace waits for a place among those whose answers raft will take, and among those in flight. The second is bounded
// by the reader's deadlines.
func (l *pipeline) takePlace() error {
	timer := time.NewTimer(l.peer.transport.config.Timeouts.Append)
	defer timer.Stop()
	select {
	case l.room <- struct{}{}:
	case <-timer.C:
		l.end(errConsumerBehind)
		return l.ended()
	case <-l.ctx.Done():
		return l.ended()
	}
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-l.ctx.Done():
		return l.ended()
	}
}

// abandon waits until the reader no longer writes to f's answer, which is the caller's.
func (l *pipeline) abandon(f *appendFuture) error {
	select {
	case <-f.done:
	case <-l.readerDone:
	}
	return l.ended()
}

// Consumer is where raft takes the answers, in the order sent.
func (l *pipeline) Consumer() <-chan raft.AppendFuture { return l.taken }

// Close ends the pipeline, fails what is in flight and waits for its goroutines.
func (l *pipeline) Close() error {
	l.end(raft.ErrPipelineShutdown)
	l.close()
	<-l.readerDone
	l.delivery.Wait()
	return nil
}

func (l *pipeline) ended() error {
	return l.peer.failed("append pipeline", context.Cause(l.ctx))
}

// readAnswers ends with the pipeline, and the pipeline with it.
func (l *pipeline) readAnswers() {
	defer close(l.readerDone)
	for {
		select {
		case f := <-l.inFlight:
			err := l.readAnswer(f)
			f.finish(err)
			if err == nil {
				l.hand(f)
			}
			<-l.slots
		case <-l.ctx.Done():
			l.failInFlight()
			return
		}
	}
}

// readAnswer waits for the answers to all parts of an append. Raft's answer is that of the last part, or of the first
// that is not success.
func (l *pipeline) readAnswer(f *appendFuture) error {
	timer := time.AfterFunc(l.peer.transport.config.Timeouts.forAppend(f.bytes), func() { l.end(errPipelineStalled) })
	defer timer.Stop()
	var last *raftv1.AppendEntriesResponse
	for range f.parts {
		m, err := l.stream.Recv()
		if err != nil {
			l.end(err)
			if errors.Is(context.Cause(l.ctx), errPipelineStalled) {
				l.peer.probe(l.peer.appends)
			}
			return l.ended()
		}
		last = m.GetResponse()
		*f.answer = appendAnswerFromWire(last)
		if !f.answer.Success {
			return nil
		}
	}
	l.peer.transport.followers.note(l.peer.id, f.request, last, time.Now())
	return nil
}

// hand passes an answer on. One that is not success ends the pipeline: what was sent behind it cannot succeed, and raft
// takes nothing more. Unguarded it goes on, and waits for raft to take each answer before it makes room for an append.
func (l *pipeline) hand(f *appendFuture) {
	if !guard.On("612") {
		select {
		case l.taken <- f:
		case <-l.ctx.Done():
		}
		return
	}
	l.answered <- f
	if !f.answer.Success {
		l.end(errPipelineRejected)
	}
}

// deliver waits for raft to take answers, so that the reader need not.
func (l *pipeline) deliver() {
	for {
		select {
		case f := <-l.answered:
			select {
			case l.taken <- f:
				<-l.room
			case <-l.closed.Done():
				return
			}
		case <-l.closed.Done():
			return
		}
	}
}

// failInFlight fails what was sent and not answered. The tokens are kept: nothing more is sent.
func (l *pipeline) failInFlight() {
	for {
		select {
		case f := <-l.inFlight:
			f.finish(l.ended())
		default:
			return
		}
	}
}
