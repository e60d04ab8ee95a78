package server

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Snapshots takes snapshots; *marks.Cadence does.
type Snapshots interface {
	// Take commits a snapshot mark and waits until this member has a snapshot of it, whose index it returns.
	Take(ctx context.Context) (index uint64, err error)
}

// takeTimeout bounds the taking of a snapshot where the caller's deadline does not.
const takeTimeout = 10 * time.Minute

// TakeSnapshot is ballastv1.OperatorServiceServer's.
func (o *Operator) TakeSnapshot(
	ctx context.Context, _ *ballastv1.TakeSnapshotRequest,
) (*ballastv1.TakeSnapshotResponse, error) {
	if failure := o.cfg.Gate.pass(); failure != nil {
		return nil, withLeader(failure, o.leader)
	}
	if _, ok := leads(o.cfg.Raft); !ok {
		return nil, withLeader(notLeader(nil), o.leader)
	}
	ctx, cancel := context.WithTimeout(ctx, takeTimeout)
	defer cancel()
	index, err := o.cfg.Snapshots.Take(ctx)
	var known *Failure
	switch {
	case err == nil:
		return &ballastv1.TakeSnapshotResponse{Index: index}, nil
	case errors.As(err, &known):
		return nil, withLeader(known, o.leader)
	case ctx.Err() != nil:
		return nil, contextFailure(ctx.Err(), ballastv1.Outcome_OUTCOME_UNKNOWN)
	}
	return nil, unknown(codes.Unavailable, "this member could not take a snapshot: see its log", err)
}
