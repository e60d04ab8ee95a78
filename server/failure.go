package server

import (
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Failure is why a call ended without an answer. gRPC sends it as a status with a ballastv1.Failure in its details.
type Failure struct {
	// Code is the gRPC status code.
	Code codes.Code
	// Outcome is what the call may have done; never unspecified.
	Outcome ballastv1.Outcome
	// Message says what was expected, what was found and what to do.
	Message string
	// RetryAfter is how long to wait at least before the next try; 0: not at all.
	RetryAfter time.Duration
	// Leader is where to go next, where known.
	Leader *ballastv1.LeaderHint
	// Reason is more than the code says, for programs.
	Reason ballastv1.Reason
	// Cause is the error behind it, if any; it stays on this side of the wire.
	Cause error
}

// Error is the message, with the cause where there is one.
func (f *Failure) Error() string {
	if f.Cause == nil {
		return f.Message
	}
	return f.Message + ": " + f.Cause.Error()
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// GRPCStatus is what the gRPC server sends.
func (f *Failure) GRPCStatus() *status.Status {
	s := status.New(f.Code, f.Error())
	detailed, err := s.WithDetails(f.proto())
	if err != nil { // only for code OK, which no Failure has
		return s
	}
	return detailed
}

func (f *Failure) proto() *ballastv1.Failure {
	p := &ballastv1.Failure{Outcome: f.Outcome, Leader: f.Leader, Reason: f.Reason}
	if f.RetryAfter > 0 {
		p.RetryAfter = durationpb.New(f.RetryAfter)
	}
	return p
}

func (f *Failure) stream() *ballastv1.StreamFailure {
	return &ballastv1.StreamFailure{Code: int32(f.Code), Message: f.Error(), Failure: f.proto()}
}

// notDone is a failure of a call that proposed nothing.
func notDone(code codes.Code, message string) *Failure {
	return &Failure{Code: code, Outcome: ballastv1.Outcome_OUTCOME_NOT_DONE, Message: message}
}

// unknown is a failure of a call whose operations may yet take effect.
func unknown(code codes.Code, message string, cause error) *Failure {
	return &Failure{Code: code, Outcome: ballastv1.Outcome_OUTCOME_UNKNOWN, Message: message, Cause: cause}
}

// asFailure returns err as a Failure. One that is none of ours is an internal error of unknown outcome.
func asFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return unknown(codes.Internal, "internal error: retry the same ids", err)
}
