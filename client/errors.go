package client

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// What calls end with, for errors.Is.
var (
	// ErrUnknownOutcome: the change may have taken effect, or may yet. Retry the same ids. See *UnknownOutcomeError.
	ErrUnknownOutcome = errors.New("outcome unknown")
	// ErrNotDone: no try of this call was proposed; nothing of it takes effect.
	ErrNotDone = errors.New("not done")
	// ErrUnavailable: no member could serve the call in time.
	ErrUnavailable = errors.New("unavailable")
	// ErrDiskLow: writes are refused because disks are low, which ends by itself when there is room. Also ErrUnavailable.
	ErrDiskLow = errors.New("disk low")
	// ErrRefused: the cluster answered and refused. See *RefusedError.
	ErrRefused = errors.New("refused")
	// ErrUnknownAccount: no account has this id. Neither "unavailable" nor "balance zero".
	ErrUnknownAccount = errors.New("unknown account")
	// ErrUnknownHold: no hold of this id is remembered.
	ErrUnknownHold = errors.New("unknown hold")
	// ErrUnknownTopUp: no top-up of this id is remembered.
	ErrUnknownTopUp = errors.New("unknown top-up")
	// ErrNoTopUpPolicy: there is no such account, or it never had a policy on top-ups.
	ErrNoTopUpPolicy = errors.New("no policy on top-ups")
	// ErrInvalid: a field is out of its documented bounds; nothing was proposed.
	ErrInvalid = errors.New("invalid")
	// ErrClosed: the Client has been closed.
	ErrClosed = errors.New("client closed")
)

// UnknownOutcomeError says that operations were sent, or may have been, and no final answer came in time.
type UnknownOutcomeError struct {
	// IDs of all operations of the call, in order. Retry all of them, unchanged.
	IDs []string
	// Cause is what the last try ended with.
	Cause error
}

// Error says what is unknown and what to do.
func (e *UnknownOutcomeError) Error() string {
	return fmt.Sprintf("outcome of %s unknown, retry with the same ids: %v", nameIDs(e.IDs), e.Cause)
}

// Unwrap makes errors.Is find ErrUnknownOutcome and the cause.
func (e *UnknownOutcomeError) Unwrap() []error { return []error{ErrUnknownOutcome, e.Cause} }

// NotDoneError says that nothing of the call was proposed by any of its tries.
type NotDoneError struct {
	// Cause is what the last try ended with.
	Cause error
}

// Error says that nothing was done and why.
func (e *NotDoneError) Error() string { return fmt.Sprintf("not done: %v", e.Cause) }

// Unwrap makes errors.Is find ErrNotDone and the cause.
func (e *NotDoneError) Unwrap() []error { return []error{ErrNotDone, e.Cause} }

// RefusedError is a refusal by the cluster, as the one-call helpers return it.
type RefusedError struct {
	// ID and Attempt of the operation.
	ID      string
	Attempt uint32
	// Code says why.
	Code ballastv1.ResultCode
	// Account that the refusal is about; empty where it is about none.
	Account string
	// Asked and Available in minor units, where the refusal compares amounts.
	Asked, Available int64
	// Result is the whole answer.
	Result *ballastv1.Result
}

// Error says which account, what was asked and what was available.
func (e *RefusedError) Error() string {
	var b strings.Builder
	b.WriteString("refused: ")
	b.WriteString(reason(e.Code))
	if e.Account != "" {
		fmt.Fprintf(&b, ": account %q", e.Account)
	}
	switch e.Code {
	case ballastv1.ResultCode_RESULT_CODE_INSUFFICIENT_FUNDS:
		fmt.Fprintf(&b, ": asked %d, available %d (minor units)", e.Asked, e.Available)
	case ballastv1.ResultCode_RESULT_CODE_CEILING_EXCEEDED:
		fmt.Fprintf(&b, ": asked %d, room below the ceiling %d (minor units)", e.Asked, e.Available)
	case ballastv1.ResultCode_RESULT_CODE_VELOCITY_EXCEEDED:
		fmt.Fprintf(&b, ": asked %d, room below the caps %d (minor units)", e.Asked, e.Available)
	case ballastv1.ResultCode_RESULT_CODE_EXCEEDS_ENTRY:
		fmt.Fprintf(&b, ": asked %d, moved %d (minor units)", e.Asked, e.Available)
	case ballastv1.ResultCode_RESULT_CODE_VERSION_MISMATCH:
		fmt.Fprintf(&b, ": its version is %d", e.Result.GetVersion())
	case ballastv1.ResultCode_RESULT_CODE_EXCEEDS_HOLD:
		fmt.Fprintf(&b, ": asked %d, held %d (minor units)", e.Asked, e.Available)
	case ballastv1.ResultCode_RESULT_CODE_GROUP_REFUSED:
		fmt.Fprintf(&b, ": because of member %d", e.Result.GetFailedMember())
	}
	return b.String()
}

// Is makes errors.Is find ErrRefused, and ErrUnknownAccount, ErrUnknownHold or ErrUnknownTopUp where that is the reason.
func (e *RefusedError) Is(target error) bool {
	switch target {
	case ErrUnknownAccount:
		return e.Code == ballastv1.ResultCode_RESULT_CODE_UNKNOWN_ACCOUNT
	case ErrUnknownHold:
		return e.Code == ballastv1.ResultCode_RESULT_CODE_UNKNOWN_HOLD
	case ErrUnknownTopUp:
		return e.Code == ballastv1.ResultCode_RESULT_CODE_UNKNOWN_TOP_UP
	}
	return target == ErrRefused
}

// AsRefusal turns a result of Submit into the error that a one-call helper would have returned: nil where the operation
// took effect, else a *RefusedError.
func AsRefusal(op *ballastv1.Operation, r *ballastv1.Result) error {
	if r.GetCode() == ballastv1.ResultCode_RESULT_CODE_APPLIED {
		return nil
	}
	return &RefusedError{
		ID: op.GetId(), Attempt: max(op.GetAttempt(), 1), Code: r.GetCode(), Account: r.GetAccount(),
		Asked: r.GetAsked(), Available: r.GetAvailable(), Result: r,
	}
}

// reason is a code's name in plain words: "insufficient funds".
func reason(code ballastv1.ResultCode) string {
	name := strings.TrimPrefix(code.String(), "RESULT_CODE_")
	return strings.ToLower(strings.ReplaceAll(name, "_", " "))
}

// StatusError is what a member answered, or what kept the client from asking it.
type StatusError struct {
	// Endpoint that was asked; empty where none was.
	Endpoint string
	// Code is the canonical gRPC status code.
	Code codes.Code
	// Message says what was expected, what was found, what to do.
	Message string
	// Reason is more than the code says, where a member said more.
	Reason ballastv1.Reason
	// Cause is the error below, where there is one, such as the context's.
	Cause error
}

// Error names the member, the code and the message.
func (e *StatusError) Error() string {
	if e.Endpoint == "" {
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s: %s", e.Endpoint, e.Code, e.Message)
}

// Unwrap returns the cause.
func (e *StatusError) Unwrap() error { return e.Cause }

// Is makes errors.Is find ErrUnavailable and ErrInvalid by the code, and ErrDiskLow by the reason.
func (e *StatusError) Is(target error) bool {
	switch target {
	case ErrDiskLow:
		return e.Reason == ballastv1.Reason_REASON_DISK_LOW
	case ErrInvalid:
		return e.Code == codes.InvalidArgument
	case ErrUnavailable:
		switch e.Code {
		case codes.Unavailable, codes.FailedPrecondition, codes.ResourceExhausted, codes.DeadlineExceeded:
			return true
		}
	}
	return false
}

// nameIDs lists ids for people, the first few of many.
func nameIDs(ids []string) string {
	const shown = 3
	if len(ids) <= shown {
		return fmt.Sprintf("%q", ids)
	}
	return fmt.Sprintf("%q and %d more", ids[:shown], len(ids)-shown)
}
