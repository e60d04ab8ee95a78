package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Bounds of what a lane packs and has under way.
const (
	// maxRequests in flight on a stream. Few, so that what arrives meanwhile is packed together.
	maxRequests = 8
	// A request is filled up to these with calls that wait; a larger call goes by itself.
	packBytes      = 128 << 10
	packOperations = 2000
	// silence is how long a member may owe an answer, with nothing else heard from it, until its connection is given up.
	silence = 2 * time.Second
	// connectTimeout bounds the opening of a stream.
	connectTimeout = 2 * time.Second
)

// submitStream is the part of a gRPC stream that a lane uses.
type submitStream interface {
	SendMsg(m any) error
	Recv() (response, error)
}

// lane carries the submits of all callers to one member over one stream at a time. Its goroutine (run) is the only one
// that sends: it packs what waits into requests, a bounded number in flight, so that many callers cost few messages,
// and a lone caller waits for nobody.
type lane struct {
	endpoint string
	open     func(context.Context) (submitStream, error)
	clock    *logClock
	log      hclog.Logger

	mu     sync.Mutex
	wake   *sync.Cond // something below changed
	closed bool       // no more calls are taken
	broken bool       // the present stream has ended
	queue  []*call    // in order of arrival; those that left are skipped
	flight map[uint64]*request
	tag    uint64 // of the newest request
	heard  time.Time
}

func newLane(endpoint string, open func(context.Context) (submitStream, error), clock *logClock, log hclog.Logger) *lane {
	l := &lane{endpoint: endpoint, open: open, clock: clock, log: log, flight: make(map[uint64]*request)}
	l.wake = sync.NewCond(&l.mu)
	return l
}

// enqueue hands a call to the lane. The answer comes on c.done, unless the caller leaves first.
func (l *lane) enqueue(c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		c.state = callAnswered
		c.done <- answer{failure: notSent(l.endpoint, codes.Unavailable, "the connection is closed", nil)}
		return
	}
	l.queue = append(l.queue, c)
	if len(l.queue) == 1 {
		l.wake.Broadcast()
	}
}

// leave withdraws a call whose caller waits no longer, and tells what it had come to: callLeft was never sent, callSent
// may reach the member nevertheless, callAnswered has its answer in done or will at once. silent: the member owes
// answers for so long that its connection should be given up.
func (l *lane) leave(c *call) (state callState, silent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.state == callWaiting {
		c.state = callLeft
	}
	return c.state, l.silent(time.Now())
}

// silent reports whether an answer is overdue that nothing explains. A member answers a request within the request's own
// timeout, and a stream on which others are answered is alive.
func (l *lane) silent(now time.Time) bool {
	for _, r := range l.flight {
		quiet := now.Sub(l.heard) >= silence && now.Sub(r.sent) >= silence
		if quiet || now.Sub(r.expires) >= silence {
			return true
		}
	}
	return false
}

// run serves the lane until ctx ends. Then every call has been answered, and later ones are at once.
func (l *lane) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.closed = true
		l.wake.Broadcast()
	})
	defer stop()
	for l.waitForCalls() {
		if err := l.serve(ctx); err != nil {
			l.log.Debug("submit stream ended", "endpoint", l.endpoint, "error", err)
		}
	}
	l.failQueue(notSent(l.endpoint, codes.Unavailable, "the connection was closed before it was sent", nil))
}

// waitForCalls waits until there is something to open a stream for; false once the lane is closed.
func (l *lane) waitForCalls() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) == 0 && !l.closed {
		l.wake.Wait()
	}
	return !l.closed
}

// serve opens a stream and uses it until it breaks or the lane is closed.
func (l *lane) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := l.openWithin(ctx, cancel)
	if err != nil {
		f := failureOf(l.endpoint, err)
		f.maybe = false // there was no stream to send on
		l.failQueue(f)
		return err
	}
	l.begin()
	received := make(chan error, 1)
	go func() { received <- l.receive(stream) }()
	err = l.send(stream)
	cancel()
	if receiveErr := <-received; err == nil || errors.Is(err, io.EOF) {
		err = receiveErr // says why; the sender only learns that
	}
	if errors.Is(err, io.EOF) {
		err = status.Error(codes.Unavailable, "the member ended the stream")
	}
	f := failureOfEnd(l.endpoint, err)
	l.failFlight(f)
	unsent := *f
	unsent.maybe = false
	l.failQueue(&unsent)
	return err
}

// openWithin opens a stream, giving up after connectTimeout.
func (l *lane) openWithin(ctx context.Context, cancel context.CancelFunc) (submitStream, error) {
	timer := time.AfterFunc(connectTimeout, cancel)
	stream, err := l.open(ctx)
	if !timer.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	return stream, err
}

// begin marks a new stream as alive.
func (l *lane) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = false
	l.heard = time.Now()
}

// send packs and sends until the stream breaks or the lane is closed.
func (l *lane) send(stream submitStream) error {
	for {
		f := l.next()
		if f == nil {
			return nil
		}
		if err := stream.SendMsg(f); err != nil {
			return err
		}
	}
}

// next waits until there are calls to send and room to send them, and packs them into one request; nil: the stream is
// broken or the lane closed. From here its calls count as sent.
func (l *lane) next() frame {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.broken || l.closed {
			return nil
		}
		if len(l.flight) < maxRequests {
			if r, size := l.pack(time.Now()); r != nil {
				return l.launch(r, size)
			}
		}
		l.wake.Wait()
	}
}

// launch gives a request its tag, counts it as in flight and encodes it.
func (l *lane) launch(r *request, size int) frame {
	l.tag++
	r.tag = l.tag
	l.flight[r.tag] = r
	f := newFrame(r.tag, serverTimeout(r.expires.Sub(r.sent)), size)
	for _, c := range r.calls {
		f = append(f, c.operations...)
	}
	return f
}

// serverTimeout is what the member may take of a caller's time: a little less, so that its answer "dropped, not done"
// arrives while the caller still listens.
func serverTimeout(d time.Duration) time.Duration { return d - min(d/8, 100*time.Millisecond) }

// receive hands answers to callers until the stream ends.
func (l *lane) receive(stream submitStream) error {
	for {
		r, err := stream.Recv()
		if err != nil {
			l.mu.Lock()
			l.broken = true
			l.wake.Broadcast()
			l.mu.Unlock()
			return err
		}
		l.settle(&r)
	}
}

// settle answers the calls of the request that a response belongs to. A response that was settled before, or whose
// callers were told "unknown", belongs to none.
func (l *lane) settle(got *response) {
	now := time.Now()
	l.mu.Lock()
	l.heard = now
	r := l.flight[got.tag]
	if r != nil {
		delete(l.flight, r.tag)
		for _, c := range r.calls {
			c.state = callAnswered
		}
		l.wake.Broadcast()
	}
	l.mu.Unlock()
	if r == nil {
		l.log.Debug("answer to no request in flight", "endpoint", l.endpoint, "tag", got.tag)
		return
	}
	l.deliver(r, got)
}

// deliver splits a response among the request's calls.
func (l *lane) deliver(r *request, got *response) {
	if got.failure == nil && got.results.count == r.count {
		l.clock.observe(time.Since(r.sent), got.logTime)
		for _, c := range r.calls {
			c.done <- answer{results: got.results.take(c.count)}
		}
		return
	}
	var f *failure
	if got.failure == nil {
		f = &failure{endpoint: l.endpoint, code: codes.Internal, message: "the answer has not one result for each operation", maybe: true}
	} else {
		f = failureOfStream(l.endpoint, got.failure, r.shared())
	}
	for _, c := range r.calls {
		c.done <- answer{failure: f}
	}
}

// failFlight answers everything that was sent.
func (l *lane) failFlight(f *failure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for tag, r := range l.flight {
		delete(l.flight, tag)
		for _, c := range r.calls {
			c.state = callAnswered
			c.done <- answer{failure: f}
		}
	}
}

// failQueue answers everything that waits.
func (l *lane) failQueue(f *failure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.queue {
		if c.state == callWaiting {
			c.state = callAnswered
			c.done <- answer{failure: f}
		}
	}
	l.queue = nil
}
