package client

import (
	"context"
	"fmt"
	"iter"
	"time"

	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// TopUpPolicy says when an account is topped up and how; see SetTopUpPolicy of the wire for each field's meaning.
type TopUpPolicy struct {
	// Threshold in minor units, at least 1: a top-up is made when less is available.
	Threshold int64
	// Amount to charge each time, or Target: charge as much as brings what is available to it. Minor units, one of them.
	Amount, Target int64
	// Source is the account to debit; empty: the ledger's own.
	Source string
	// CountWindow and MaxCount bound how many are made in any stretch of time; 0 and 0: any number.
	CountWindow time.Duration
	MaxCount    int64
	// SumCap bounds what is charged in any stretch of time; the zero value: any sum.
	SumCap Cap
	// BackOff is for how long none is made after a decline.
	BackOff time.Duration
	// KeyLifetime is how long the processor is sure to know an idempotency key again; take some minutes less than it promises.
	KeyLifetime time.Duration
	// Payment is what the processor knows the customer's card by; not a card number.
	Payment string
}

// NewSetTopUpPolicy makes an operation that gives an account a policy in the place of the one that it has.
func NewSetTopUpPolicy(account string, p TopUpPolicy, options ...OpOption) *ballastv1.Operation {
	k := &ballastv1.SetTopUpPolicy{
		Account: account, Threshold: p.Threshold, Amount: p.Amount, Target: p.Target, SourceAccount: p.Source,
		BackOff: int64(p.BackOff), KeyLifetime: int64(p.KeyLifetime), PaymentReference: p.Payment,
	}
	if p.CountWindow != 0 || p.MaxCount != 0 {
		k.CountCap = &ballastv1.TopUpCount{Window: int64(p.CountWindow), Limit: p.MaxCount}
	}
	if p.SumCap != (Cap{}) {
		k.SumCap = &ballastv1.VelocityCap{Window: int64(p.SumCap.Window), Limit: p.SumCap.Limit}
	}
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_SetTopUpPolicy{SetTopUpPolicy: k}}, options)
}

// NewRemoveTopUpPolicy makes an operation that takes an account's policy away.
func NewRemoveTopUpPolicy(account string, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_SetTopUpPolicy{
		SetTopUpPolicy: &ballastv1.SetTopUpPolicy{Account: account, Off: true},
	}}, options)
}

// NewLeaseTopUp makes an operation that leases one top-up. LeaseTopUps finds those that are due.
func NewLeaseTopUp(id string, lease time.Duration, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_LeaseTopUp{
		LeaseTopUp: &ballastv1.LeaseTopUp{TopUp: id, Timeout: int64(lease)},
	}}, options)
}

// Settlement says what became of the charge for a top-up.
type Settlement struct {
	Outcome ballastv1.TopUpOutcome
	// Lease is the number of the lease under which that came to be known; 0: a person knows it from the processor.
	Lease uint32
}

// NewSettleTopUp makes an operation that settles a top-up, or says that nobody knows what became of it. WithReference is
// for the processor's own id of the charge.
func NewSettleTopUp(id string, s Settlement, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_SettleTopUp{
		SettleTopUp: &ballastv1.SettleTopUp{TopUp: id, Outcome: s.Outcome, Lease: s.Lease},
	}}, options)
}

// SetTopUpPolicy gives an account a policy on topping it up in the place of the one that it has.
func (c *Client) SetTopUpPolicy(ctx context.Context, account string, p TopUpPolicy, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewSetTopUpPolicy(account, p, options...))
}

// RemoveTopUpPolicy takes an account's policy away. A top-up that somebody has leased stays open.
func (c *Client) RemoveTopUpPolicy(ctx context.Context, account string, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewRemoveTopUpPolicy(account, options...))
}

// SettleTopUp says what became of the charge for a top-up; one that succeeded is credited in the same step.
func (c *Client) SettleTopUp(ctx context.Context, id string, s Settlement, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewSettleTopUp(id, s, options...))
}

// LeaseTopUps leases up to limit top-ups that are due, 1 to 100, for a time of 1 second to 1 hour; worker is a name for people.
// Where the answer to a try is lost, what it leased is due again when that lease has ended. Package topup has a worker that
// does all of it.
func (c *Client) LeaseTopUps(ctx context.Context, worker string, limit uint32, lease time.Duration) ([]*ballastv1.TopUpRecord, error) {
	request := &ballastv1.LeaseTopUpsRequest{Worker: worker, Limit: limit, Timeout: int64(lease)}
	var answer *ballastv1.LeaseTopUpsResponse
	err := c.read(ctx, false, func(ctx context.Context, l *link) (err error) {
		answer, err = l.money.LeaseTopUps(ctx, request)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer.GetTopUps(), nil
}

// GetTopUp reads a top-up, open or ended. ErrUnknownTopUp where none of this id is remembered.
func (c *Client) GetTopUp(ctx context.Context, id string, options ...ReadOption) (*ballastv1.TopUpRecord, error) {
	r := newRead(options)
	request := &ballastv1.GetTopUpRequest{Id: id, Consistency: r.consistency}
	var answer *ballastv1.GetTopUpResponse
	err := c.read(ctx, r.stale(), func(ctx context.Context, l *link) (err error) {
		answer, err = l.money.GetTopUp(ctx, request)
		return err
	})
	if hasCode(err, codes.NotFound) {
		err = fmt.Errorf("%w: %q", ErrUnknownTopUp, id)
	}
	if err != nil {
		return nil, err
	}
	r.state(answer.GetState())
	return answer.GetTopUp(), nil
}

// ListTopUps lists open top-ups, and with ended those too that have ended and are remembered, in no order that means anything.
// Each page of rows is consistent; pages are not with each other. It ends after the first error.
func (c *Client) ListTopUps(ctx context.Context, ended bool, options ...ReadOption) iter.Seq2[*ballastv1.TopUpRecord, error] {
	r := newRead(options)
	return listed(func() nextPage[*ballastv1.TopUpRecord] {
		request := &ballastv1.ListTopUpsRequest{IncludeEnded: ended, PageSize: r.pageSize, Consistency: r.consistency}
		return func() ([]*ballastv1.TopUpRecord, bool, error) {
			var page *ballastv1.ListTopUpsResponse
			err := c.read(ctx, r.stale(), func(ctx context.Context, l *link) (err error) {
				page, err = l.money.ListTopUps(ctx, request)
				return err
			})
			if err != nil {
				return nil, false, err
			}
			r.state(page.GetState())
			request.PageToken = page.GetNextPageToken()
			return page.GetTopUps(), request.PageToken != "", nil
		}
	})
}

// GetTopUpPolicy reads an account's policy on topping it up and how its top-ups stand. ErrNoTopUpPolicy where there is no such
// account, or it never had one.
func (c *Client) GetTopUpPolicy(ctx context.Context, account string, options ...ReadOption) (*ballastv1.GetTopUpPolicyResponse, error) {
	r := newRead(options)
	request := &ballastv1.GetTopUpPolicyRequest{Account: account, Consistency: r.consistency}
	var answer *ballastv1.GetTopUpPolicyResponse
	err := c.read(ctx, r.stale(), func(ctx context.Context, l *link) (err error) {
		answer, err = l.money.GetTopUpPolicy(ctx, request)
		return err
	})
	if hasCode(err, codes.NotFound) {
		err = fmt.Errorf("%w: %q", ErrNoTopUpPolicy, account)
	}
	if err != nil {
		return nil, err
	}
	r.state(answer.GetState())
	return answer, nil
}
