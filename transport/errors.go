package transport

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var (
	// errPipelineRejected ends a pipeline after an answer that is not success.
	errPipelineRejected = errors.New("append pipeline ended: the peer rejected an append")
	// errPipelineStalled ends a pipeline whose oldest append was not answered in time.
	errPipelineStalled = errors.New("append pipeline ended: no answer in time")
	// errConsumerBehind ends a pipeline whose answers are not taken.
	errConsumerBehind = errors.New("append pipeline ended: too many answers were not taken")
	// errUnreachable says that a stream could not be opened in time.
	errUnreachable = errors.New("peer not reached in time")
	// errInstallIdle ends a snapshot's transfer that makes no progress.
	errInstallIdle = errors.New("snapshot transfer ended: no progress in time")
	// errInstallSuperseded ends a transfer in favour of a later one.
	errInstallSuperseded = errors.New("snapshot transfer ended: a later call took over")
	// errFetchIdle ends a call that fetches and to which nothing comes.
	errFetchIdle = errors.New("fetching ended: nothing came in time")
	// errServeIdle ends serving one who takes nothing.
	errServeIdle = errors.New("serving ended: nothing was read or taken in time")
)

// unexpectedCommand is what the raft library looks for in an error to learn that a peer knows no pre-vote.
const unexpectedCommand = "unexpected command"

// refuse makes the status of a message that is not for this member.
func refuse(why error) error { return status.Error(codes.FailedPrecondition, why.Error()) }

// invalid makes the status of a message that no correct member sends.
func invalid(why error) error { return status.Error(codes.InvalidArgument, why.Error()) }

// stopping is the answer of a member that shuts down.
func stopping() error { return status.Error(codes.Unavailable, "this member is shutting down") }

// raftError passes an error of raft's on with its text.
func raftError(err error) error {
	if err.Error() == unexpectedCommand {
		return status.Error(codes.Unimplemented, unexpectedCommand)
	}
	return status.Error(codes.Unknown, err.Error())
}

// callError is a failed call's error with the reason for which its context ended, if it did.
func (p *peer) callError(ctx context.Context, what string, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	return p.failed(what, err)
}

// failed says what failed to whom. Once calls are stopped, that is the reason, whatever came of it.
func (p *peer) failed(what string, err error) error {
	if p.transport.calls.Err() != nil {
		err = raft.ErrTransportShutdown
	}
	return fmt.Errorf("%s to %s at %s: %w", what, p.id, p.address, err)
}
