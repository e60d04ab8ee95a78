package server

import (
	"context"

	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Examine is ballastv1.OperatorServiceServer's.
func (o *Operator) Examine(ctx context.Context, _ *ballastv1.ExamineRequest) (*ballastv1.ExamineResponse, error) {
	if o.cfg.Examine == nil {
		return nil, notDone(codes.Unimplemented, "this member cannot look at itself")
	}
	answer, err := o.cfg.Examine(ctx)
	if err != nil {
		return nil, contextFailure(err, ballastv1.Outcome_OUTCOME_NOT_DONE)
	}
	return answer, nil
}
