package topup

import "context"

// Processor is who charges cards: a payment service provider behind its own client. Both calls end when ctx does, and may be
// made by several goroutines.
type Processor interface {
	// Charge charges c.Amount with c.ID as the idempotency key: however often it is asked with the same ID, within the
	// lifetime of its keys, it charges once and gives the same answer. Declined only if nothing was charged, and nothing can be
	// any more under this ID, by a request that is still under way either. An error is as good as Unknown.
	Charge(ctx context.Context, c Charge) (Outcome, error)
	// Lookup tells what became of the charge for c.ID, and charges nothing. Declined also where the processor is sure that
	// there was never any.
	Lookup(ctx context.Context, c Charge) (Outcome, error)
}

// Charge is what to charge.
type Charge struct {
	// ID is the top-up's, a UUID: the idempotency key.
	ID string
	// Account, and the Ledger that it belongs to.
	Account, Ledger string
	// Amount in minor units of Scale decimal places.
	Amount int64
	Scale  uint32
	// Payment is what the processor knows the customer's card by.
	Payment string
}

// Status is what became of a charge.
type Status uint8

// What became of a charge.
const (
	Unknown   Status = iota // nobody knows, yet
	Succeeded               // it was charged
	Declined                // nothing was charged
)

// Outcome is a processor's answer.
type Outcome struct {
	Status Status
	// Reference is the processor's own id of the charge. It is kept in the entry where it is up to 64 bytes of UTF-8 without
	// control characters, and else left out.
	Reference string
}
