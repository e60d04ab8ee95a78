package server

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	"github.com/ballastdb/ballast/server/audit"
)

// Caller tells who makes a call: role and name of the certificate, or "development" where there is no TLS.
func Caller(ctx context.Context) string { return caller(ctx) }

// defaultAudit is how many actions are told where nobody says how many.
const defaultAudit = 100

// GetAudit is ballastv1.OperatorServiceServer's.
func (o *Operator) GetAudit(_ context.Context, r *ballastv1.GetAuditRequest) (*ballastv1.GetAuditResponse, error) {
	limit := int(r.GetLimit())
	if limit > audit.MaxEntries {
		return nil, invalid("limit: want 1 to %d, found %d", audit.MaxEntries, limit)
	}
	defaultTo(&limit, defaultAudit)
	if o.cfg.Audit == nil {
		return &ballastv1.GetAuditResponse{}, nil
	}
	list, err := o.cfg.Audit(limit)
	if err != nil {
		return nil, unknown(codes.Internal, "the audit log cannot be read: check the disk", err)
	}
	answer := &ballastv1.GetAuditResponse{}
	for _, e := range list {
		p := &ballastv1.AuditEntry{
			Time: e.Time.UnixNano(), By: e.By, From: e.From, Call: e.Call[strings.LastIndexByte(e.Call, '/')+1:], Request: e.Request, Outcome: e.Outcome, Error: e.Error,
		}
		if e.TookMS > 0 {
			p.Took = durationpb.New(time.Duration(e.TookMS * float64(time.Millisecond)))
		}
		answer.Entries = append(answer.Entries, p)
	}
	return answer, nil
}
