package client

import (
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// OpOption sets a field of an operation.
type OpOption func(*ballastv1.Operation)

// WithID names the operation: its idempotency key, 1 to 64 bytes. Keep it, and retry with the same. An id that carries
// no time (see IssuedAt) needs WithIssuedAt. Default: a new id.
func WithID(id string) OpOption { return func(op *ballastv1.Operation) { op.Id = id } }

// WithIssuedAt says when the id was made. It must be the same in every retry: store it beside the id.
func WithIssuedAt(t time.Time) OpOption {
	return func(op *ballastv1.Operation) { op.IssuedAt = t.UnixNano() }
}

// WithAttempt numbers a deliberate new try of an operation that was refused, from 1 (the default).
func WithAttempt(n uint32) OpOption { return func(op *ballastv1.Operation) { op.Attempt = n } }

// WithEventTime says when the business event happened, in the caller's own meaning.
func WithEventTime(t time.Time) OpOption {
	return func(op *ballastv1.Operation) { op.EventTime = t.UnixNano() }
}

// WithCode sets the caller's own classification of the entry.
func WithCode(code uint32) OpOption { return func(op *ballastv1.Operation) { op.Code = code } }

// WithReference sets the caller's own reference, up to 64 bytes.
func WithReference(reference string) OpOption {
	return func(op *ballastv1.Operation) { op.Reference = reference }
}

// NewCredit makes an operation that raises a balance by amount minor units. Submit gives it an id where it has none.
func NewCredit(account string, amount int64, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_Credit{
		Credit: &ballastv1.Credit{Account: account, Amount: amount},
	}}, options)
}

// NewDebit makes an operation that lowers a balance by amount minor units; refused where less is available.
func NewDebit(account string, amount int64, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_Debit{
		Debit: &ballastv1.Debit{Account: account, Amount: amount},
	}}, options)
}

// NewTransfer makes an operation that moves amount minor units between two accounts of one ledger.
func NewTransfer(from, to string, amount int64, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_Transfer{
		Transfer: &ballastv1.Transfer{DebitAccount: from, CreditAccount: to, Amount: amount},
	}}, options)
}

// NewCreateLedger makes an operation that creates a ledger counting asset with scale decimal places.
func NewCreateLedger(name, asset string, scale uint32, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_CreateLedger{
		CreateLedger: &ballastv1.CreateLedger{Name: name, Asset: asset, Scale: scale},
	}}, options)
}

// Limits are an account's bounds in minor units. A nil field leaves what is there, or the default: floor 0, no ceiling.
type Limits struct {
	// Floor is the lowest balance that a debit may leave, at most 0.
	Floor *int64
	// Ceiling is the highest balance that a credit may leave, at least 0.
	Ceiling *int64
	// NoCeiling removes the ceiling.
	NoCeiling bool
}

// NewCreateAccount makes an operation that opens an account in a ledger.
func NewCreateAccount(account, ledger string, limits Limits, options ...OpOption) *ballastv1.Operation {
	k := &ballastv1.CreateAccount{Account: account, Ledger: ledger, Ceiling: limits.Ceiling}
	if limits.Floor != nil {
		k.Floor = *limits.Floor
	}
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_CreateAccount{CreateAccount: k}}, options)
}

// NewSetLimits makes an operation that changes the limits that are given.
func NewSetLimits(account string, limits Limits, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_SetLimits{SetLimits: &ballastv1.SetLimits{
		Account: account, Floor: limits.Floor, Ceiling: limits.Ceiling, NoCeiling: limits.NoCeiling,
	}}}, options)
}

// Freeze says what an account refuses.
type Freeze uint8

// States of an account.
const (
	Thawed       Freeze = iota // refuses nothing
	DebitsFrozen               // refuses debits
	FullyFrozen                // refuses debits and credits
)

// NewSetFrozen makes an operation that freezes or thaws an account.
func NewSetFrozen(account string, freeze Freeze, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_SetFrozen{SetFrozen: &ballastv1.SetFrozen{
		Account: account, Frozen: freeze != Thawed, CreditsToo: freeze == FullyFrozen,
	}}}, options)
}

// NewCloseAccount makes an operation that closes an account for ever; refused unless its balance is zero.
func NewCloseAccount(account string, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_CloseAccount{
		CloseAccount: &ballastv1.CloseAccount{Account: account},
	}}, options)
}

// WithIfVersion makes an operation conditional: only if the account's version is still this, see Operation.if_version.
func WithIfVersion(version uint64) OpOption {
	return func(op *ballastv1.Operation) { op.IfVersion = version }
}

// Cap bounds the sum of an account's debits in any stretch of log time of a length; see VelocityCap.
type Cap struct {
	// Window is 1 second to 400 days.
	Window time.Duration
	// Limit in minor units, at least 0.
	Limit int64
}

// NewSetVelocity makes an operation that gives an account these velocity caps, at most 2, in place of those that it has.
func NewSetVelocity(account string, caps []Cap, options ...OpOption) *ballastv1.Operation {
	k := &ballastv1.SetVelocity{Account: account}
	for _, c := range caps {
		k.Caps = append(k.Caps, &ballastv1.VelocityCap{Window: int64(c.Window), Limit: c.Limit})
	}
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_SetVelocity{SetVelocity: k}}, options)
}

// NewSetLowBalance makes an operation that sets the threshold of what is available, minor units, below which an account is
// told to be low; 0: none any more. See SetLowBalance in the API.
func NewSetLowBalance(account string, threshold int64, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_SetLowBalance{
		SetLowBalance: &ballastv1.SetLowBalance{Account: account, Threshold: threshold},
	}}, options)
}

// NewTransferUpTo makes an operation that moves as much as is available, at most amount minor units, to another account
// of the ledger, or out of it where that is empty.
func NewTransferUpTo(from, to string, amount int64, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_TransferUpTo{
		TransferUpTo: &ballastv1.TransferUpTo{DebitAccount: from, CreditAccount: to, Amount: amount},
	}}, options)
}

// NewReverse makes an operation that moves back what an entry moved, or amount minor units of it; 0: all.
func NewReverse(sequence uint64, amount int64, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_Reverse{
		Reverse: &ballastv1.Reverse{Sequence: sequence, Amount: amount},
	}}, options)
}

// HoldTerms are what a hold is made with.
type HoldTerms struct {
	// Timeout is how long it lives unless it is extended: log time from when it takes effect, at most 400 days.
	Timeout time.Duration
	// InParts: it may be captured in several parts.
	InParts bool
}

// NewHold makes an operation that holds amount minor units of an account. The operation's id is the hold's.
func NewHold(account string, amount int64, terms HoldTerms, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_Hold{Hold: &ballastv1.Hold{
		Account: account, Amount: amount, Timeout: int64(terms.Timeout), InParts: terms.InParts,
	}}}, options)
}

// Capture says what of a hold is captured. The zero value captures all that remains, out of the ledger.
type Capture struct {
	// Amount in minor units; 0: all that remains.
	Amount int64
	// To is the account that is credited; empty: the ledger's own, as with a debit.
	To string
	// Last: of a hold in parts this is the last one, what remains is available again.
	Last bool
}

// NewCaptureHold makes an operation that captures a hold or a part of it.
func NewCaptureHold(hold string, capture Capture, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_CaptureHold{CaptureHold: &ballastv1.CaptureHold{
		Hold: hold, Amount: capture.Amount, CreditAccount: capture.To, Last: capture.Last,
	}}}, options)
}

// NewVoidHold makes an operation that ends a hold and gives back what it holds.
func NewVoidHold(hold string, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_VoidHold{VoidHold: &ballastv1.VoidHold{Hold: hold}}}, options)
}

// NewExtendHold makes an operation that gives a hold more time: timeout from when it takes effect.
func NewExtendHold(hold string, timeout time.Duration, options ...OpOption) *ballastv1.Operation {
	return build(&ballastv1.Operation{Kind: &ballastv1.Operation_ExtendHold{ExtendHold: &ballastv1.ExtendHold{
		Hold: hold, Timeout: int64(timeout),
	}}}, options)
}

// Group links operations so that all take effect or none does. Pass it to Submit as it is: Submit(ctx, Group(a, b)...).
func Group(ops ...*ballastv1.Operation) []*ballastv1.Operation {
	for i, op := range ops {
		op.Linked = i < len(ops)-1
	}
	return ops
}

func build(op *ballastv1.Operation, options []OpOption) *ballastv1.Operation {
	for _, option := range options {
		option(op)
	}
	return op
}
