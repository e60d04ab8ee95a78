package client

import (
	"context"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// InspectSnapshot asks the member at one endpoint, a client or an operator address, what its newest snapshot is made of. verify has it
// read every page and its whole journal first; progress, unless nil, is told how many bytes were read, of about how many. ctx
// bounds all of it: a large state takes minutes.
func (o *Operator) InspectSnapshot(
	ctx context.Context, endpoint string, verify bool, progress func(read, of uint64),
) (*ballastv1.SnapshotReport, error) {
	l, err := o.c.links.get(endpoint)
	if err != nil {
		return nil, failureHere(endpoint, err).asError()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := l.operator.InspectSnapshot(ctx, &ballastv1.InspectSnapshotRequest{Verify: verify})
	for err == nil {
		var r *ballastv1.InspectSnapshotResponse
		if r, err = stream.Recv(); err != nil {
			break
		}
		if r.GetReport() != nil {
			return r.GetReport(), nil
		}
		if progress != nil {
			progress(r.GetReadBytes(), r.GetOfBytes())
		}
	}
	return nil, failureOf(endpoint, err).asError()
}
