package ledger

// Code says what became of an operation; the numbers are ballast.v1.ResultCode's, append-only. docs/results.md has the
// meaning of each.
type Code uint16

// Codes. CodeNone is never an answer.
const (
	CodeNone              Code = 0
	CodeApplied           Code = 1
	CodeInvalid           Code = 2
	CodeConflict          Code = 3
	CodeSuperseded        Code = 4
	CodeTooOld            Code = 5
	CodeTooEarly          Code = 6
	CodeGroupRefused      Code = 7
	CodeUnknownLedger     Code = 8
	CodeUnknownAccount    Code = 9
	CodeLedgerExists      Code = 10
	CodeAccountExists     Code = 11
	CodeLedgerMismatch    Code = 12
	CodeAccountClosed     Code = 13
	CodeAccountFrozen     Code = 14
	CodeInsufficientFunds Code = 15
	CodeCeilingExceeded   Code = 16
	CodeOverflow          Code = 17
	CodeNotEmpty          Code = 18
	CodeLimitReached      Code = 19
	CodeUnknownHold       Code = 20
	CodeHoldExists        Code = 21
	CodeHoldCaptured      Code = 22
	CodeHoldVoided        Code = 23
	CodeHoldExpired       Code = 24
	CodeExceedsHold       Code = 25
	CodeSameAccount       Code = 26
	CodeVersionMismatch   Code = 27
	CodeVelocityExceeded  Code = 28
	CodeUnknownEntry      Code = 29
	CodeNotReversible     Code = 30
	CodeAlreadyReversed   Code = 31
	CodeExceedsEntry      Code = 32
	CodeUnknownTopUp      Code = 33
	CodeTopUpEnded        Code = 34
	CodeTopUpLeased       Code = 35
	CodeTopUpOpen         Code = 36
	// CodeNewest is the highest code that this version answers.
	CodeNewest = CodeTopUpOpen
)

// Side names one of an operation's two accounts.
type Side uint8

// Sides.
const (
	SideNone   Side = 0
	SideDebit  Side = 1
	SideCredit Side = 2
)

// Result is the final answer to one attempt of one operation; see ballast.v1.Result for the meaning of each field.
type Result struct {
	Code     Code
	Side     Side // refusals about an account: which of the operation's accounts
	Replayed bool
	Attempt  uint32
	Sequence uint64

	DebitPosted  int64
	CreditPosted int64
	Available    int64
	Asked        int64
	Amount       int64
	Version      uint64 // CodeVersionMismatch: what it is
	FailedMember uint32
	// Account is the slot, + 1, of the account that a refusal is about: that on Side, or the hold's or top-up's; 0: about none, or
	// one that does not exist.
	Account uint32
}
