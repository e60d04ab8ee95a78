package client

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/internal/planted"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Submit sends 1 to 8,000 operations, at most 1 MiB, in one request, and returns one result for each, in order;
// refusals are results, not errors. Operations that are linked to a group take effect together or not at all; the
// others each on their own. Other callers' operations may travel in the same request; that changes nothing for either.
//
// An operation without an id gets one, and one without an issued_at gets that of its id; both are written into the
// operation, so that submitting the same operations again is a retry. Nothing else of them is changed, and none may be
// changed by others until Submit returns.
//
// Errors: ErrInvalid, ErrNotDone (maybe with ErrUnavailable), ErrUnknownOutcome.
func (c *Client) Submit(ctx context.Context, ops ...*ballastv1.Operation) ([]*ballastv1.Result, error) {
	if err := c.prepare(ops); err != nil {
		return nil, err
	}
	operations, err := encodeOperations(ops)
	if err != nil {
		return nil, invalidf("operations", "%v", err)
	}
	if len(operations) > maxSubmitBytes-requestOverhead {
		return nil, invalidf("operations", "%d bytes, expected at most %d", len(operations), maxSubmitBytes-requestOverhead)
	}
	results, track := c.submit(ctx, operations, len(ops))
	if track == nil {
		return results, nil
	}
	return nil, track.asError(ops, c.explain(ctx, track.last.asError()))
}

// submit tries until there are results or there is no time or use for another try. track is nil where there are results.
func (c *Client) submit(ctx context.Context, operations []byte, count int) ([]*ballastv1.Result, *outcome) {
	deadline := c.deadline(ctx)
	track := &outcome{}
	if f := c.hold(ctx, int64(len(operations)), deadline); f != nil {
		track.note(f)
		return nil, track
	}
	defer c.held.Release(int64(len(operations)))

	var way course
	for alone := false; ; {
		endpoint := c.directory.leader()
		results, f := c.try(ctx, endpoint, &call{operations: operations, count: count, alone: alone}, deadline)
		if f == nil {
			return results, nil
		}
		track.note(f)
		alone = alone || f.code == codes.InvalidArgument
		if f.final() || c.over(ctx, deadline) {
			return nil, track
		}
		if !sleep(ctx, c.closing, c.react(f, &way), deadline) {
			return nil, track
		}
	}
}

// hold waits until the operations of all waiting callers are few enough to take these in.
func (c *Client) hold(ctx context.Context, size int64, deadline time.Time) *failure {
	if c.held.TryAcquire(size) {
		return nil
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()
	if err := c.held.Acquire(ctx, size); err != nil {
		return notSent("", codes.ResourceExhausted, "this client's other calls left no room before the deadline", err)
	}
	return nil
}

// try sends a call to one member and waits for its answer, but not for all of the time that is left.
func (c *Client) try(ctx context.Context, endpoint string, cl *call, deadline time.Time) ([]*ballastv1.Result, *failure) {
	link, err := c.links.get(endpoint)
	if err != nil {
		return nil, failureHere(endpoint, err)
	}
	now := time.Now()
	left := deadline.Sub(now)
	if left <= 0 || ctx.Err() != nil {
		return nil, notSent(endpoint, codes.DeadlineExceeded, "no time left to ask", context.Cause(ctx))
	}
	timeout := tryTimeout(left)
	cl.expires = now.Add(timeout)
	cl.done = make(chan answer, 1)
	link.lane.enqueue(cl)

	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case a := <-cl.done:
		return a.open(endpoint)
	case <-timer.C:
	case <-ctx.Done():
	}
	return c.abandon(ctx, link, cl)
}

// abandon leaves a call that was not answered in time.
func (c *Client) abandon(ctx context.Context, l *link, cl *call) ([]*ballastv1.Result, *failure) {
	state, silent := l.lane.leave(cl)
	if silent {
		c.links.drop(l)
		c.directory.leave(l.endpoint)
	}
	if state == callAnswered {
		return (<-cl.done).open(l.endpoint)
	}
	f := notSent(l.endpoint, codes.DeadlineExceeded, "no answer in time", ctx.Err())
	f.maybe = state == callSent
	return nil, f
}

// outcome keeps what is known of all tries of one call together.
type outcome struct {
	// maybe: some try may have been proposed. It is never taken back: what a later try tells is about that try alone.
	maybe bool
	// last is the failure to report.
	last *failure
}

// note adds what a try ended with.
func (o *outcome) note(f *failure) {
	o.last = moreTelling(o.last, f)
	o.maybe = o.maybe || f.maybe
	if planted.In(planted.UnknownAsNotDone) && !f.maybe {
		o.maybe = false
	}
}

// asError is what the caller learns in the end.
func (o *outcome) asError(ops []*ballastv1.Operation, cause error) error {
	if !o.maybe {
		return &NotDoneError{Cause: cause}
	}
	ids := make([]string, len(ops))
	for i, op := range ops {
		ids[i] = op.GetId()
	}
	return &UnknownOutcomeError{IDs: ids, Cause: cause}
}
