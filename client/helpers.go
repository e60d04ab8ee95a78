package client

import (
	"context"
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// The one-call helpers submit one operation each. Concurrent calls share requests. A refusal is a *RefusedError; the
// other errors are Submit's. The result is that of the first time where the operation had been answered before.

// Credit raises an account's balance by amount minor units.
func (c *Client) Credit(ctx context.Context, account string, amount int64, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewCredit(account, amount, options...))
}

// Debit lowers an account's balance by amount minor units; refused where less is available.
func (c *Client) Debit(ctx context.Context, account string, amount int64, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewDebit(account, amount, options...))
}

// Transfer moves amount minor units between two accounts of one ledger.
func (c *Client) Transfer(ctx context.Context, from, to string, amount int64, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewTransfer(from, to, amount, options...))
}

// CreateLedger makes a ledger that counts asset with scale decimal places.
func (c *Client) CreateLedger(ctx context.Context, name, asset string, scale uint32, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewCreateLedger(name, asset, scale, options...))
}

// CreateAccount opens an account in a ledger.
func (c *Client) CreateAccount(ctx context.Context, account, ledger string, limits Limits, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewCreateAccount(account, ledger, limits, options...))
}

// SetLimits changes the limits that are given and leaves the others.
func (c *Client) SetLimits(ctx context.Context, account string, limits Limits, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewSetLimits(account, limits, options...))
}

// SetFrozen freezes or thaws an account.
func (c *Client) SetFrozen(ctx context.Context, account string, freeze Freeze, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewSetFrozen(account, freeze, options...))
}

// CloseAccount closes an account for ever.
func (c *Client) CloseAccount(ctx context.Context, account string, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewCloseAccount(account, options...))
}

// SetVelocity gives an account these velocity caps in place of those that it has.
func (c *Client) SetVelocity(ctx context.Context, account string, caps []Cap, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewSetVelocity(account, caps, options...))
}

// SetLowBalance sets the threshold of what is available, minor units, below which the feed (Watch) tells that an account is
// low; 0: none any more.
func (c *Client) SetLowBalance(ctx context.Context, account string, threshold int64, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewSetLowBalance(account, threshold, options...))
}

// TransferUpTo moves as much as is available, at most amount minor units; Result.Amount tells how much. To is empty for usage
// that leaves the ledger.
func (c *Client) TransferUpTo(ctx context.Context, from, to string, amount int64, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewTransferUpTo(from, to, amount, options...))
}

// Reverse moves back what an entry moved, or amount minor units of it (0: all), once.
func (c *Client) Reverse(ctx context.Context, sequence uint64, amount int64, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewReverse(sequence, amount, options...))
}

// Hold sets amount minor units of an account aside. The hold's id, which is returned in any case, is the operation's.
func (c *Client) Hold(ctx context.Context, account string, amount int64, terms HoldTerms, options ...OpOption) (id string, r *ballastv1.Result, err error) {
	op := NewHold(account, amount, terms, options...)
	r, err = c.do(ctx, op)
	return op.GetId(), r, err
}

// CaptureHold captures a hold or a part of it; Result.Amount tells how much.
func (c *Client) CaptureHold(ctx context.Context, hold string, capture Capture, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewCaptureHold(hold, capture, options...))
}

// VoidHold ends a hold; Result.Amount tells how much is available again.
func (c *Client) VoidHold(ctx context.Context, hold string, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewVoidHold(hold, options...))
}

// ExtendHold gives a hold more time.
func (c *Client) ExtendHold(ctx context.Context, hold string, timeout time.Duration, options ...OpOption) (*ballastv1.Result, error) {
	return c.do(ctx, NewExtendHold(hold, timeout, options...))
}

func (c *Client) do(ctx context.Context, op *ballastv1.Operation) (*ballastv1.Result, error) {
	results, err := c.Submit(ctx, op)
	if err != nil {
		return nil, err
	}
	if err := AsRefusal(op, results[0]); err != nil {
		return nil, err
	}
	return results[0], nil
}
