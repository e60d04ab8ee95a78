package client

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// incomingIdle is how long a member may send nothing of what it gives.
const incomingIdle = time.Minute

// errIncomingIdle: a member sends nothing of what it gives.
var errIncomingIdle = fmt.Errorf("nothing more of it came for %v", incomingIdle)

// incoming is a stream that one member sends. Close it.
type incoming[T any] struct {
	endpoint string
	next     func() (*T, error)
	end      context.CancelCauseFunc
	ctx      context.Context // of the call, which close ends
	idle     *time.Timer
}

// receiveFrom opens a stream of the member at an endpoint. ctx bounds all of it; a member that sends nothing for a minute ends it, too.
func receiveFrom[T any](ctx context.Context, c *Client, endpoint string, open func(context.Context, *link) (func() (*T, error), error)) (*incoming[T], error) {
	l, err := c.links.get(endpoint)
	if err != nil {
		return nil, failureHere(endpoint, err).asError()
	}
	in := &incoming[T]{endpoint: endpoint}
	in.ctx, in.end = context.WithCancelCause(ctx)
	in.idle = time.AfterFunc(incomingIdle, func() { in.end(errIncomingIdle) })
	if in.next, err = open(in.ctx, l); err != nil {
		return nil, in.failed(err)
	}
	return in, nil
}

// receive waits for a piece. What is done with it is not the member's time. io.EOF is as it came; any other error ends the call.
func (in *incoming[T]) receive() (*T, error) {
	in.idle.Reset(incomingIdle)
	piece, err := in.next()
	in.idle.Stop()
	return piece, err
}

// close ends the call where it has not ended.
func (in *incoming[T]) close() {
	in.idle.Stop()
	in.end(nil)
}

// failed ends the call and tells why.
func (in *incoming[T]) failed(err error) error {
	cause := context.Cause(in.ctx)
	in.close()
	if errors.Is(cause, errIncomingIdle) {
		return failureHere(in.endpoint, cause).asError()
	}
	return failureOf(in.endpoint, err).asError()
}
