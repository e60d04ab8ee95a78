package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// failure is what one try ended with, other than results.
type failure struct {
	endpoint string
	code     codes.Code
	message  string
	// maybe: the try may have been proposed.
	maybe bool
	// shared: other callers' operations were in the same request.
	shared bool
	// ofStream: a stream ended with it, under all requests that were on it.
	ofStream bool
	// leader is the client address that the member hinted at; empty: none.
	leader string
	// retryAfter is the pause that the member asked for.
	retryAfter time.Duration
	// reason is what the member said beside the code.
	reason ballastv1.Reason
	// said: the member's own words, rather than what became of the connection.
	said bool
	// cause is what ended the try at our side, where something did.
	cause error
}

// notSent is a failure of a try that never left this process.
func notSent(endpoint string, code codes.Code, message string, cause error) *failure {
	return &failure{endpoint: endpoint, code: code, message: message, cause: cause}
}

// failureOf reads a status that a call ended with. Unless the member says that it proposed nothing, it may have.
func failureOf(endpoint string, err error) *failure {
	st, _ := status.FromError(err)
	f := &failure{endpoint: endpoint, code: st.Code(), message: st.Message(), maybe: true, cause: err}
	for _, detail := range st.Details() {
		if d, ok := detail.(*ballastv1.Failure); ok {
			f.read(d)
		}
	}
	return f
}

// failureOfEnd reads the status that a stream ended with. It speaks of the stream and not of any one request on it: each
// of those may have been proposed, and may be sent again on another stream.
func failureOfEnd(endpoint string, err error) *failure {
	f := failureOf(endpoint, err)
	f.ofStream = true
	return f
}

// failureOfStream reads the failure that answers a request on a stream.
func failureOfStream(endpoint string, sf *ballastv1.StreamFailure, shared bool) *failure {
	f := &failure{endpoint: endpoint, code: codes.Code(sf.GetCode()), message: sf.GetMessage(), maybe: true, shared: shared}
	if f.code == codes.OK {
		f.code, f.message = codes.Internal, "the answer has neither results nor a failure"
	}
	f.read(sf.GetFailure())
	if sf.GetFailure() == nil && f.code == codes.InvalidArgument {
		f.maybe = false // the code's own meaning, in the answer to one request; what a Failure says goes before it
	}
	return f
}

func (f *failure) read(d *ballastv1.Failure) {
	f.said = d != nil
	f.maybe = d.GetOutcome() != ballastv1.Outcome_OUTCOME_NOT_DONE
	f.reason = d.GetReason()
	f.leader = d.GetLeader().GetClientAddress()
	if after := d.GetRetryAfter().AsDuration(); after > 0 {
		f.retryAfter = after
	}
}

// notLeader reports whether another member is the one to ask. A hint alone does not say so: who leads may name itself.
func (f *failure) notLeader() bool { return f.reason == ballastv1.Reason_REASON_NOT_LEADER }

// final reports whether another try, anywhere, would end the same way.
func (f *failure) final() bool {
	switch f.code {
	case codes.InvalidArgument:
		return !f.shared && !f.ofStream
	case codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented, codes.NotFound, codes.AlreadyExists,
		codes.OutOfRange:
		return true
	}
	return false
}

// moreTelling is the failure to report of a call's tries so far and the next one. What a member said of itself tells
// more than that another one was not reached after it.
func moreTelling(sofar, next *failure) *failure {
	if sofar == nil || next.said || next.final() || !sofar.said {
		return next
	}
	return sofar
}

// explain adds to what the tries ended with why there was no further one.
func (c *Client) explain(ctx context.Context, cause error) error {
	switch {
	case c.closing.Err() != nil:
		return fmt.Errorf("%w: %w", ErrClosed, cause)
	case ctx.Err() != nil && !errors.Is(cause, ctx.Err()):
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return cause
}

// asError is the failure as callers see it.
func (f *failure) asError() error {
	return &StatusError{Endpoint: f.endpoint, Code: f.code, Message: f.message, Reason: f.reason, Cause: f.cause}
}
