package server

import (
	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// naming tells the id of the account that a refusal is about.
type naming struct {
	// named is the account of operation i that a side names; empty where it has none.
	named func(i int, side ledger.Side) string
	// at is the account at a slot, for operations that name it by a hold, an entry or a top-up.
	at func(slot uint32) string
}

func (n naming) of(i int, r *ledger.Result) (id string) {
	if r.Side != ledger.SideNone {
		id = n.named(i, r.Side)
	}
	if id == "" && r.Account != 0 {
		id = n.at(r.Account - 1)
	}
	return id
}

// submitResponse answers operations with what became of them.
func submitResponse(applied Applied, operations []*ballastv1.Operation, accountAt func(slot uint32) string) *ballastv1.SubmitResponse {
	accounts := naming{func(i int, side ledger.Side) string { return accountOn(operations[i], side) }, accountAt}
	slab := make([]ballastv1.Result, len(applied.Results))
	results := make([]*ballastv1.Result, len(applied.Results))
	for i := range applied.Results {
		fillResult(&slab[i], &applied.Results[i])
		slab[i].Account = accounts.of(i, &applied.Results[i])
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
