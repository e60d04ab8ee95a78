package ledger

import "time"

// Kind says what an operation does. Numbers are part of the proposal and entry formats: append-only.
type Kind uint8

// Kinds of operations.
const (
	KindCredit        Kind = 1
	KindDebit         Kind = 2
	KindTransfer      Kind = 3
	KindCreateLedger  Kind = 16
	KindCreateAccount Kind = 17
	KindSetLimits     Kind = 18
	KindSetFrozen     Kind = 19
	KindCloseAccount  Kind = 20
	KindSetVelocity   Kind = 21
	KindSetLowBalance Kind = 22
	KindSetTopUp      Kind = 23
	KindHold          Kind = 32
	KindCapture       Kind = 33
	KindVoid          Kind = 34
	KindExtend        Kind = 35
	KindUpTo          Kind = 36
	KindReverse       Kind = 37
	KindLeaseTopUp    Kind = 38
	KindSettleTopUp   Kind = 39
)

// tellsAmount: the answer tells an amount, in the place of the credited account's balance.
func (k Kind) tellsAmount() bool { return k >= KindHold }

// ofTopUp: an operation of this kind has TopUp.
func (k Kind) ofTopUp() bool { return k == KindSetTopUp || k == KindLeaseTopUp || k == KindSettleTopUp }

// Bounds of an operation's fields, in bytes unless said otherwise.
const (
	MaxIDLen        = 64   // operation id
	MaxAccountLen   = 64   // account id
	MaxLedgerLen    = 32   // ledger name
	MaxAssetLen     = 16   // asset
	MaxReferenceLen = 64   // caller's reference
	MaxScale        = 18   // decimal places
	MaxGroup        = 1000 // members of an atomic group
	MaxBatch        = 8000 // operations of one proposal
	// MinCapWindow and MaxCapWindow bound the window of a velocity cap: 1 second to 400 days.
	MinCapWindow = int64(time.Second)
	MaxCapWindow = int64(400 * 24 * time.Hour)
	// MaxHoldTimeout is for how long, in nanoseconds, a hold is made or extended at most: 400 days.
	MaxHoldTimeout = int64(400 * 24 * time.Hour)
)

// Operation is one requested change, flat over all kinds so that a batch decodes without allocating. Byte slices may
// alias the proposal they were decoded from: nothing of an Operation is kept by reference.
type Operation struct {
	// ID is the idempotency key, 1 to MaxIDLen bytes; Attempt counts from 1.
	ID      []byte
	Attempt uint32
	Kind    Kind
	// Linked: this operation and the next belong to one atomic group.
	Linked bool
	// IssuedAt is when the id was made, Unix nanoseconds; part of the payload.
	IssuedAt int64
	// EventTime, Code and Reference are the caller's own; EventTime 0 means not given.
	EventTime int64
	Code      uint32
	Reference []byte

	// Debit is the debited account (KindDebit, KindTransfer, KindUpTo; KindSetTopUp, where empty is the ledger's own), or the one
	// whose money is held (KindHold).
	Debit []byte
	// Credit is the credited account (KindCredit, KindTransfer; KindCapture and KindUpTo, where empty is the ledger's own) or the one that the operation is about
	// (KindCreateAccount, KindSetLimits, KindSetFrozen, KindCloseAccount, KindSetVelocity, KindSetLowBalance, KindSetTopUp).
	Credit []byte
	// Amount in minor units, positive (KindCredit, KindDebit, KindTransfer, KindHold, KindUpTo; KindCapture and KindReverse, where 0 is all; KindSetTopUp,
	// where 0 is up to the target; KindSetLowBalance, where it is the threshold and 0 none).
	Amount int64

	// Ledger is the ledger's name (KindCreateLedger, KindCreateAccount).
	Ledger []byte
	// Asset and Scale of KindCreateLedger.
	Asset []byte
	Scale uint8

	// Floor (at most 0) and Ceiling (at least 0) of KindCreateAccount and KindSetLimits, where Has… is set.
	HasFloor, HasCeiling bool
	// NoCeiling removes the ceiling (KindSetLimits).
	NoCeiling      bool
	Floor, Ceiling int64

	// Frozen and FrozenCredits are the wanted state of KindSetFrozen.
	Frozen, FrozenCredits bool

	// Hold is the id of the hold, that of the operation that made it (KindCapture, KindVoid, KindExtend).
	Hold []byte
	// Timeout is how long from now, in nanoseconds, the hold lives (KindHold, KindExtend), or the lease (KindLeaseTopUp).
	Timeout int64
	// Parts: the hold may be captured in several parts (KindHold). Last: this is the last one (KindCapture).
	Parts, Last bool

	// IfVersion: only if this is still the version of the account that the operation names (the debited one of two, the
	// hold's, the one that a reversal debits unless that is the ledger's own); 0: whatever it is. Not of kinds that create.
	IfVersion uint64
	// Entry is the sequence of the entry to reverse, Original what it moved (KindReverse; Amount 0 is all of it).
	Entry    uint64
	Original Original
	// Caps are all caps that the account is to have (KindSetVelocity), or those of its top-ups (KindSetTopUp): of their number,
	// then of their sum.
	Caps [MaxCaps]Cap

	// TopUp has what only operations on top-ups have (KindSetTopUp, KindLeaseTopUp, KindSettleTopUp); nil for others.
	TopUp *TopUpFields
}
