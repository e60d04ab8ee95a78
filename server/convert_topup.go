package server

import (
	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func topUpProto(t *ledger.TopUp) *ballastv1.TopUpRecord {
	return &ballastv1.TopUpRecord{
		Id: t.ID, Account: t.Account, Ledger: t.Ledger, Scale: uint32(t.Scale), State: ballastv1.TopUpState(t.State), Amount: t.Amount,
		PaymentReference: t.Payment, Lease: t.Lease, Holder: t.Holder, LeasedUntil: t.Leased, ChargeBy: t.ChargeBy, LookupOnly: t.LookupOnly,
		Unknown: t.Unknown, Created: t.Created, Ended: t.Ended, FirstSequence: t.FirstSequence, LastSequence: t.LastSequence,
	}
}

func policyProto(t *ledger.TopUpTerms, account, source string) *ballastv1.SetTopUpPolicy {
	p := &ballastv1.SetTopUpPolicy{
		Account: account, Off: !t.On, Threshold: t.Threshold, Amount: t.Amount, Target: t.Target, SourceAccount: source, BackOff: t.BackOff,
		KeyLifetime: t.KeyLifetime, PaymentReference: t.Payment,
	}
	if t.CountCap.Window != 0 {
		p.CountCap = &ballastv1.TopUpCount{Window: t.CountCap.Window, Limit: t.CountCap.Limit}
	}
	if t.SumCap.Window != 0 {
		p.SumCap = capProto(t.SumCap)
	}
	return p
}

func policyResponse(p *ledger.TopUpPolicy) *ballastv1.GetTopUpPolicyResponse {
	terms := ledger.TopUpTerms{
		On: p.On, Threshold: p.Threshold, Amount: p.Amount, Target: p.Target, BackOff: p.BackOff, KeyLifetime: p.KeyLifetime,
		CountCap: p.CountCap.Cap, SumCap: p.SumCap.Cap, Payment: p.Payment,
	}
	return &ballastv1.GetTopUpPolicyResponse{
		Policy: policyProto(&terms, p.Account, p.Source), Ledger: p.Ledger, Scale: uint32(p.Scale), OpenTopUp: p.Open, Made: p.Made,
		Declines: p.Declines, RestsUntil: p.RestsUntil, LooksAt: p.LooksAt, Counted: p.CountCap.Counted, Summed: p.SumCap.Counted,
	}
}
