package server

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Backups copies out what this member has.
type Backups interface {
	// Backup gives a backup of this member's newest snapshot, of index least or later, piece by piece: start first, then send
	// with each piece, which it does not change afterwards. ErrNoBackup: this member cannot give that.
	Backup(ctx context.Context, least uint64, start func(index, expected uint64) error, send func(data []byte) error) error
}

// ErrNoBackup: the member does not have what a backup needs, and another may.
var ErrNoBackup = errors.New("this member cannot give that backup")

// Backup is ballastv1.OperatorServiceServer's.
func (o *Operator) Backup(r *ballastv1.BackupRequest, stream grpc.ServerStreamingServer[ballastv1.BackupResponse]) error {
	if failure := mayGive(o.cfg.Gate, o.cfg.Raft, r.GetFromLeader()); failure != nil {
		return failure
	}
	select {
	case o.backing <- struct{}{}:
	default:
		return retryable("this member gives a backup to somebody else: ask another one, or wait")
	}
	defer func() { <-o.backing }()
	ctx := stream.Context()
	by := caller(ctx)
	o.cfg.Logger.Info("a backup begins", "by", by, "least_index", r.GetLeastIndex())
	sent, index := uint64(0), uint64(0)
	err := o.cfg.Backups.Backup(ctx, r.GetLeastIndex(), func(at, expected uint64) error {
		index = at
		return stream.Send(&ballastv1.BackupResponse{Index: at, ExpectedBytes: expected})
	}, func(data []byte) error {
		sent += uint64(len(data))
		return stream.Send(&ballastv1.BackupResponse{Data: data})
	})
	if err == nil {
		o.cfg.Logger.Info("a backup is given", "by", by, "index", index, "bytes", sent)
		return nil
	}
	o.cfg.Logger.Warn("a backup is not given", "by", by, "index", index, "bytes", sent, "error", err)
	switch {
	case errors.Is(err, ErrNoBackup):
		return precondition("%v", err)
	case ctx.Err() != nil:
		return contextFailure(ctx.Err(), ballastv1.Outcome_OUTCOME_NOT_DONE)
	}
	f := notDone(codes.Unavailable, "the backup broke off: what came of it is of no use; take it again, from another member where this one's log says why")
	f.Cause = err
	return f
}
