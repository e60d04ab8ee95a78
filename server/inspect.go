package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Inspector looks at what this member has on its disk.
type Inspector interface {
	// Inspect tells what the newest snapshot is made of. With verify it reads all of it and of the journal, tells progress how far it
	// is, and ends where that fails.
	Inspect(ctx context.Context, verify bool, progress func(read, of uint64) error) (*ballastv1.SnapshotReport, error)
}

// InspectSnapshot is ballastv1.OperatorServiceServer's.
func (o *Operator) InspectSnapshot(
	r *ballastv1.InspectSnapshotRequest, stream grpc.ServerStreamingServer[ballastv1.InspectSnapshotResponse],
) error {
	select {
	case o.inspecting <- struct{}{}:
	default:
		return retryable("this member inspects its snapshot for somebody else: wait for that, or ask another member")
	}
	defer func() { <-o.inspecting }()
	ctx := stream.Context()
	report, err := o.cfg.Inspector.Inspect(ctx, r.GetVerify(), func(read, of uint64) error {
		return stream.Send(&ballastv1.InspectSnapshotResponse{ReadBytes: read, OfBytes: of})
	})
	switch {
	case err == nil:
		return stream.Send(&ballastv1.InspectSnapshotResponse{Report: report})
	case ctx.Err() != nil:
		return contextFailure(ctx.Err(), ballastv1.Outcome_OUTCOME_NOT_DONE)
	}
	f := notDone(codes.Unavailable, "this member could not read what it has: see its log, then try again")
	f.Cause = err
	return f
}
