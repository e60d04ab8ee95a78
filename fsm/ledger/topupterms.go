package ledger

import (
	"bytes"
	"crypto/sha256"
	"time"
)

// Bounds of what is said of top-ups.
const (
	// MinBackOff and MaxBackOff bound the time after a decline in which no top-up is made, in nanoseconds.
	MinBackOff = int64(time.Second)
	MaxBackOff = int64(400 * 24 * time.Hour)
	// MinKeyLifetime and MaxKeyLifetime bound how long the processor is sure to know a key again, in nanoseconds.
	MinKeyLifetime = int64(time.Minute)
	MaxKeyLifetime = int64(400 * 24 * time.Hour)
	// MinLease and MaxLease bound how long a top-up is leased, in nanoseconds.
	MinLease = int64(time.Second)
	MaxLease = int64(time.Hour)
	// MaxPaymentLen bounds the payment reference, in bytes.
	MaxPaymentLen = 64
)

// Of Operation.Caps, where they are those of a policy: the first counts top-ups that were made, the second sums up what was
// charged or may have been. They may have the same window.
const (
	capCount = 0
	capSum   = 1
)

// TopUpOutcome is what became of a charge; the numbers are ballast.v1.TopUpOutcome's, append-only.
type TopUpOutcome uint8

// Outcomes of a charge.
const (
	OutcomeSucceeded TopUpOutcome = 1
	OutcomeDeclined  TopUpOutcome = 2 // nothing was charged, and under this id nothing ever will be
	OutcomeUnknown   TopUpOutcome = 3
)

// TopUpFields are the fields that only operations on top-ups have.
type TopUpFields struct {
	// Off: the account's policy is taken away, and none of the next five is set (KindSetTopUp).
	Off bool
	// Threshold: a top-up is made when less than this is available, minor units, at least 1. It is of Operation.Amount, or as
	// much as brings what is available up to Target, one of which is set.
	Threshold, Target int64
	// BackOff is how long no top-up is made after one was declined, KeyLifetime how long from a top-up's first lease it may be
	// charged, nanoseconds.
	BackOff, KeyLifetime int64
	// Payment is what the processor knows the customer's card by, up to MaxPaymentLen bytes.
	Payment []byte

	// ID of the top-up (KindLeaseTopUp, KindSettleTopUp).
	ID []byte
	// Outcome of KindSettleTopUp. Lease is the number of the lease under which it came to be known; 0: a person says so.
	Outcome TopUpOutcome
	Lease   uint32
}

var noTopUp TopUpFields

// topUp is never nil.
func (op *Operation) topUp() *TopUpFields {
	if op.TopUp == nil {
		return &noTopUp
	}
	return op.TopUp
}

var (
	errTopUp     = &FieldError{"top_up", "want 1 to 64 bytes of UTF-8 without control characters: a top-up's id"}
	errSource    = &FieldError{"source_account", "want at most 64 bytes of UTF-8 without control characters, not beginning with '@', and not the account itself"}
	errThreshold = &FieldError{"threshold", "want 1 to 2^63-1 minor units"}
	errTarget    = &FieldError{"target", "want either an amount of at least 1 minor unit, or a target of at least the threshold"}
	errBackOff   = &FieldError{"back_off", "want 1 second to 400 days"}
	errLifetime  = &FieldError{"key_lifetime", "want 1 minute to 400 days"}
	errPayment   = &FieldError{"payment_reference", "want at most 64 bytes of UTF-8 without control characters"}
	errCount     = &FieldError{"count_cap", "want a window of 1 second to 400 days and a count of at least 1"}
	errSum       = &FieldError{"sum_cap", "want a window of 1 second to 400 days and a limit of at least 1 minor unit and the amount"}
	errOutcome   = &FieldError{"outcome", "want succeeded, declined or unknown"}
	errLease     = &FieldError{"timeout", "want 1 second to 1 hour"}
)

func validateTopUpPolicy(op *Operation) *FieldError {
	f := op.topUp()
	count, sum := op.Caps[capCount], op.Caps[capSum]
	switch {
	case !isAccount(op.Credit):
		return errAccount
	case f.Off && (len(op.Debit) > 0 || op.Amount != 0 || f.Threshold|f.Target|f.BackOff|f.KeyLifetime != 0 || len(f.Payment) > 0 || op.Caps != [MaxCaps]Cap{}):
		return errForeign
	case len(op.Ledger) > 0, len(op.Asset) > 0, op.Scale != 0, hasLimits(op), hasFlags(op), hasHold(op), len(f.ID) > 0, f.Outcome != 0, f.Lease != 0:
		return errForeign
	case f.Off:
		return nil
	case len(op.Debit) > 0 && (!isAccount(op.Debit) || bytes.Equal(op.Debit, op.Credit)):
		return errSource
	case f.Threshold <= 0:
		return errThreshold
	case op.Amount < 0, (op.Amount == 0) == (f.Target == 0), f.Target != 0 && f.Target < f.Threshold:
		return errTarget
	case f.BackOff < MinBackOff || f.BackOff > MaxBackOff:
		return errBackOff
	case f.KeyLifetime < MinKeyLifetime || f.KeyLifetime > MaxKeyLifetime:
		return errLifetime
	case len(f.Payment) > MaxPaymentLen || !isText(f.Payment):
		return errPayment
	case count != Cap{} && (count.Window == 0 || !isWindow(count.Window) || count.Limit < 1):
		return errCount
	case sum != Cap{} && (sum.Window == 0 || !isWindow(sum.Window) || sum.Limit < max(1, op.Amount)):
		return errSum
	}
	return nil
}

// validateTopUp checks operations on a top-up that exists.
func validateTopUp(op *Operation) *FieldError {
	f, lease := op.topUp(), op.Kind == KindLeaseTopUp
	switch {
	case len(f.ID) == 0 || len(f.ID) > MaxIDLen || !isText(f.ID):
		return errTopUp
	case lease && (op.Timeout < MinLease || op.Timeout > MaxLease):
		return errLease
	case !lease && (f.Outcome < OutcomeSucceeded || f.Outcome > OutcomeUnknown):
		return errOutcome
	case lease && (f.Outcome != 0 || f.Lease != 0), !lease && op.Timeout != 0, len(op.Debit) > 0, len(op.Credit) > 0, op.Amount != 0, hasLedger(op),
		hasLimits(op), hasFlags(op), len(op.Hold) > 0, op.Parts, op.Last, f.Off, f.Threshold|f.Target|f.BackOff|f.KeyLifetime != 0, len(f.Payment) > 0:
		return errForeign
	}
	return nil
}

// appendPayload encodes the fields, see the operation's.
func (f *TopUpFields) appendPayload(dst []byte) []byte {
	off := byte(0)
	if f.Off {
		off = 1
	}
	dst = append(dst, off, byte(f.Outcome), byte(len(f.Payment)), byte(len(f.ID)))
	dst = le.AppendUint32(dst, f.Lease)
	for _, n := range [...]int64{f.Threshold, f.Target, f.BackOff, f.KeyLifetime} {
		dst = le.AppendUint64(dst, uint64(n))
	}
	return append(append(dst, f.Payment...), f.ID...)
}

// topUpIDBytes is the length of a top-up's id as it is kept; its text is that of a UUID.
const topUpIDBytes = 16

// topUpID is that of an account's n-th top-up. It is the processor's idempotency key, so it must never name two charges: not
// in another cluster either, where an account of the same name has a policy of another time. A state that was restored from
// an older copy makes the same ids again: what was charged and then forgotten is not charged twice.
func topUpID(account []byte, since int64, n uint64) (id [topUpIDBytes]byte) {
	b := append(make([]byte, 0, 96), "ballast top-up"...)
	b = le.AppendUint64(le.AppendUint64(b, uint64(since)), n)
	sum := sha256.Sum256(append(b, account...))
	copy(id[:], sum[:])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // a UUID of version 8
	return id
}
