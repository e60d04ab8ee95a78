package client

import (
	"context"
	"fmt"
	"iter"
	"time"

	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Position is a place in the feed: what was told up to a sequence number. Keep both, in one transaction with what was made
// of the entries, and each entry takes effect there exactly once. The zero Position is the beginning.
type Position struct {
	// Sequence number of the last entry that was told or left out by the filter.
	Sequence uint64
	// Link is a check value of the history up to it; 0: it is not compared.
	Link uint64
}

// PositionOf is the position behind a part of a watch.
func PositionOf(r *ballastv1.WatchResponse) Position { return Position{r.GetSequence(), r.GetLink()} }

// WatchOption changes what a watch tells.
type WatchOption func(*watching)

// From begins behind a position. Default: the beginning.
func From(p Position) WatchOption {
	return func(w *watching) { w.request.AfterSequence, w.request.AfterLink = p.Sequence, p.Link }
}

// FromNow begins behind the newest entry that the first member asked has at that time.
func FromNow() WatchOption { return func(w *watching) { w.request.FromNow = true } }

// WithFilter tells only what passes the filter.
func WithFilter(filter *ballastv1.WatchFilter) WatchOption {
	return func(w *watching) { w.request.Filter = filter }
}

// WithHeartbeat sets how often something is told at least, though nothing happens: 100 ms to 60 s, default 5 s. A member
// that is silent for three times as long is left.
func WithHeartbeat(d time.Duration) WatchOption {
	return func(w *watching) { w.heartbeat = d }
}

// OnInterruption calls fn whenever a member ends the watch or falls silent, before it is resumed on another one.
func OnInterruption(fn func(error)) WatchOption { return func(w *watching) { w.interrupted = fn } }

const (
	// defaultHeartbeat is that of a watch for which none is chosen.
	defaultHeartbeat = 5 * time.Second
	minHeartbeat     = 100 * time.Millisecond
	maxHeartbeat     = time.Minute
	// silences is how many heartbeats a member may leave out.
	silences = 3
)

// watching is one watch, over all members that serve it in turn.
type watching struct {
	client      *Client
	request     *ballastv1.WatchRequest
	heartbeat   time.Duration
	interrupted func(error)
	idle        int // members in a row that told nothing
}

// Watch yields the feed, part by part: entries in order, each once, and heartbeats, which have no entries. Any member serves
// it; where one ends it, it is resumed on another one by itself, at the position behind the last part, until ctx ends or
// the caller breaks off. It ends with an error where going on is impossible: a field is invalid, this caller may not, the
// position is not one of this cluster's (*StatusError with the member's Reason), or ctx has ended. Nothing waits for a
// slow caller; while the caller is at work on a part, nothing more is read than what the connection buffers.
func (c *Client) Watch(ctx context.Context, options ...WatchOption) iter.Seq2[*ballastv1.WatchResponse, error] {
	return func(yield func(*ballastv1.WatchResponse, error) bool) {
		w := &watching{client: c, request: &ballastv1.WatchRequest{}, heartbeat: defaultHeartbeat, interrupted: func(error) {}}
		for _, option := range options {
			option(w)
		}
		w.request.Heartbeat = int64(w.heartbeat)
		err := checkHeartbeat(w.heartbeat)
		if err == nil {
			err = w.run(ctx, yield)
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

func checkHeartbeat(d time.Duration) error {
	if d < minHeartbeat || d > maxHeartbeat {
		return invalidf("heartbeat", "%s, expected %s to %s", d, minHeartbeat, maxHeartbeat)
	}
	return nil
}

// run serves the watch by one member after the other. nil: the caller broke off.
func (w *watching) run(ctx context.Context, yield func(*ballastv1.WatchResponse, error) bool) error {
	c := w.client
	var pauses backoff
	for {
		endpoint := c.directory.any()
		f, stopped := w.from(ctx, endpoint, yield)
		switch {
		case stopped:
			return nil
		case c.closing.Err() != nil || ctx.Err() != nil:
			return c.explain(ctx, f.asError())
		case f.final():
			return f.asError()
		}
		w.interrupted(f.asError())
		if w.idle++; w.idle == 1 {
			pauses = backoff{}
		}
		if !sleep(ctx, c.closing, pauses.next(f.retryAfter), time.Now().Add(time.Hour)) {
			return c.explain(ctx, f.asError())
		}
	}
}

// from has one member serve the watch for as long as it does.
func (w *watching) from(ctx context.Context, endpoint string, yield func(*ballastv1.WatchResponse, error) bool) (f *failure, stopped bool) {
	l, err := w.client.links.get(endpoint)
	if err != nil {
		return failureHere(endpoint, err), false
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(w.client.closing, func() { cancel(ErrClosed) })()
	// A connection that is dead is noticed by its keepalive; a member that hangs by its silence.
	silence := silences * w.heartbeat
	watchdog := time.AfterFunc(silence, func() { cancel(fmt.Errorf("the member was silent for %s", silence)) })
	defer watchdog.Stop()
	stream, err := l.money.Watch(ctx, w.request)
	for err == nil {
		var r *ballastv1.WatchResponse
		if r, err = stream.Recv(); err != nil {
			break
		}
		watchdog.Stop()
		if err = w.follows(r); err != nil {
			return &failure{endpoint: endpoint, code: codes.DataLoss, message: err.Error(), cause: err}, false
		}
		w.idle = 0
		w.request.FromNow, w.request.AfterSequence, w.request.AfterLink = false, r.GetSequence(), r.GetLink()
		if !yield(r, nil) {
			return nil, true
		}
		watchdog.Reset(silence)
	}
	f = failureOf(endpoint, err)
	if cause := context.Cause(ctx); cause != nil && !f.said {
		f.message, f.cause = cause.Error(), cause
	}
	return f, false
}

// follows checks that a part goes on where the one before ended: nothing twice, and, without a filter, nothing left out.
func (w *watching) follows(r *ballastv1.WatchResponse) error {
	at := w.request.GetAfterSequence()
	if w.request.GetFromNow() {
		at = r.GetSequence() - uint64(len(r.GetEntries()))
	}
	if r.GetSequence() < at {
		return fmt.Errorf("position %d after %d: this member tells another history", r.GetSequence(), at)
	}
	whole := w.request.GetFilter() == nil
	for _, e := range r.GetEntries() {
		if e.GetSequence() <= at || whole && e.GetSequence() != at+1 || e.GetSequence() > r.GetSequence() {
			return fmt.Errorf("entry %d after %d in a part that ends at %d: this member does not tell all that happened", e.GetSequence(), at, r.GetSequence())
		}
		at = e.GetSequence()
	}
	if whole && at != r.GetSequence() {
		return fmt.Errorf("a part ends at entry %d and says that it ends at %d", at, r.GetSequence())
	}
	return nil
}
