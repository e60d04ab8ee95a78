package server

import (
	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// submitResponse answers operations with what became of them. accountAt tells the id of the account at a slot.
func submitResponse(applied Applied, operations []*ballastv1.Operation, accountAt func(slot uint32) string) *ballastv1.SubmitResponse {
	slab := make([]ballastv1.Result, len(applied.Results))
	results := make([]*ballastv1.Result, len(applied.Results))
	for i := range applied.Results {
		fillResult(&slab[i], &applied.Results[i])
		slab[i].Account = accountOn(operations[i], applied.Results[i].Side)
		if about := applied.Results[i].Account; about != 0 && slab[i].Account == "" { // the operation names it by a hold, an entry or a top-up
			slab[i].Account = accountAt(about - 1)
		}
		results[i] = &slab[i]
	}
	return &ballastv1.SubmitResponse{Results: results, LogTime: applied.LogTime}
}

// fillResult converts all of r but the account, whose id r does not have.
func fillResult(p *ballastv1.Result, r *ledger.Result) {
	p.Code = ballastv1.ResultCode(r.Code)
	p.Replayed = r.Replayed
	p.Attempt = r.Attempt
	p.Sequence = r.Sequence
	p.DebitPosted = r.DebitPosted
	p.CreditPosted = r.CreditPosted
	p.Available = r.Available
	p.Asked = r.Asked
	p.FailedMember = r.FailedMember
	p.Amount = r.Amount
	p.Version = r.Version
}
