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
	// Take waits until this member has a snapshot at notBefore or later, whose index it returns; notBefore 0, and where none is
	// there or being written: of a mark that it commits.
	Take(ctx context.Context, notBefore uint64) (index uint64, err error)
	// Mark commits a snapshot mark and returns its index.
	Mark(ctx context.Context) (index uint64, err error)
}

// takeTimeout bounds the taking of a snapshot where the caller's deadline does not.
const takeTimeout = 10 * time.Minute

// TakeSnapshot is ballastv1.OperatorServiceServer's.
func (o *Operator) TakeSnapshot(
	ctx context.Context, r *ballastv1.TakeSnapshotRequest,
) (*ballastv1.TakeSnapshotResponse, error) {
	if failure := o.cfg.Gate.pass(); failure != nil {
		return nil, withLeader(failure, o.leader)
	}
	if _, ok := leads(o.cfg.Raft); !ok {
		return nil, withLeader(notLeader(nil), o.leader)
	}
	ctx, cancel := context.WithTimeout(ctx, takeTimeout)
	defer cancel()
	var index uint64
	var err error
	if r.GetAtOnce() && r.GetNotBefore() == 0 {
		index, err = o.cfg.Snapshots.Mark(ctx)
	} else {
		index, err = o.cfg.Snapshots.Take(ctx, r.GetNotBefore())
	}
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
