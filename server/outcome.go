package server

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// retrySoon is the delay that failures suggest which pass by themselves: an election, a transfer, a stalled disk.
// A hand-over takes 20 to 50 ms, so who is told this while it lasts waits once; at twice this, that pause was what it cost.
const retrySoon = 50 * time.Millisecond

// indexed is the part of a raft future that tells whether raft gave the entry a place in its log.
type indexed interface{ Index() uint64 }

// raftFailure turns the error of a raft.Apply future, whose Error has returned err, into what it means to the caller.
//
// NOT_DONE needs certainty that no copy of the entry exists. In raft v1.7.3 that is so for four errors, and only while
// the entry has no index, which dispatchLogs gives it before the first disk write:
//   - ErrNotLeader: answered by the follower and candidate loops, or by a leader stepping down, before dispatchLogs
//   - ErrLeadershipTransferInProgress: answered before dispatchLogs
//   - ErrEnqueueTimeout: never reached the main loop
//   - ErrRaftShutdown: without an index it never reached the main loop; with one, processLogs answers it for entries
//     that are committed
//
// Everything else is UNKNOWN: ErrLeadershipLost, ErrAbortedByRestore, and errors of the log store, whose write may have
// reached the disk.
func raftFailure(err error, future indexed) *Failure {
	if future.Index() != 0 {
		return proposedFailure(err)
	}
	switch {
	case errors.Is(err, raft.ErrNotLeader):
		return notLeader(err)
	case errors.Is(err, raft.ErrLeadershipTransferInProgress):
		f := notDone(codes.Unavailable, "leadership is being handed over: try again")
		f.RetryAfter, f.Cause = retrySoon, err
		return f
	case errors.Is(err, raft.ErrEnqueueTimeout):
		f := notDone(codes.Unavailable, "raft takes no proposals at present: try again")
		f.RetryAfter, f.Cause = retrySoon, err
		return f
	case errors.Is(err, raft.ErrRaftShutdown):
		return stopping()
	}
	return proposedFailure(err)
}

func proposedFailure(err error) *Failure {
	f := unknown(codes.Unavailable, "proposed, but its commit was not learnt: retry the same ids", err)
	f.RetryAfter = retrySoon
	return f
}

// notLeader says that this member cannot serve the call; the services add where the leader is.
func notLeader(cause error) *Failure {
	f := notDone(codes.FailedPrecondition, "this member does not lead: go to the leader")
	f.Reason, f.Cause = ballastv1.Reason_REASON_NOT_LEADER, cause
	return f
}

// notReady says that a new leader has not done yet what comes before its callers' requests.
func notReady() *Failure {
	f := notDone(codes.Unavailable, "this member was elected a moment ago and is not ready yet: try again")
	f.RetryAfter = retrySoon
	return f
}

// stopping says that this member is shutting down.
func stopping() *Failure {
	return notDone(codes.Unavailable, "this member is shutting down: go to another one")
}

// contextFailure says that the caller's wait ended, with the outcome that its operations have.
func contextFailure(err error, outcome ballastv1.Outcome) *Failure {
	f := &Failure{Code: codes.DeadlineExceeded, Outcome: outcome}
	if errors.Is(err, context.Canceled) {
		f.Code = codes.Canceled
	}
	switch {
	case outcome == ballastv1.Outcome_OUTCOME_UNKNOWN:
		f.Message = "the wait ended after the operations were proposed: retry the same ids"
	case f.Code == codes.Canceled:
		f.Message = "cancelled before anything was proposed"
	default:
		f.Message = "the deadline passed before anything was proposed"
	}
	return f
}
