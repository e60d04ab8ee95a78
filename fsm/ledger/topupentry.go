package ledger

// TopUpChange is what an entry says of a top-up.
type TopUpChange struct {
	ID       string
	Previous uint64 // sequence of its entry before, 0: this is its first
	Amount   int64
	Lease    uint32 // number of its newest lease, 0: none yet
	// Until is the end of the lease (EntryTopUpLeased, EntryTopUpUnknown), or of the back-off (EntryTopUpDeclined); else 0.
	Until int64
	// LookupOnly: under that lease it may be looked up and not charged. Ended: this is its end.
	LookupOnly, Ended bool
}

// TopUpTerms are a policy as an entry tells it. The zero value: it was taken away.
type TopUpTerms struct {
	On                                              bool
	Source                                          uint32 // slot
	Threshold, Amount, Target, BackOff, KeyLifetime int64
	CountCap, SumCap                                Cap
	Payment                                         string
}

// Flags in the details of top-ups.
const (
	detailLookupOnly = 1 << 0
	detailTopUpEnded = 1 << 1
	detailTopUpFlags = 1<<2 - 1
	detailPolicyOn   = 1 << 0
)

const (
	topUpDetails  = 45
	policyDetails = 78 // without the payment reference
)

func appendTopUpDetails(dst []byte, e *topUpEntry) []byte {
	flags := byte(0)
	if e.lease > 0 && !e.mayCharge() {
		flags |= detailLookupOnly
	}
	if e.state != TopUpOpen {
		flags |= detailTopUpEnded
	}
	dst = append(append(dst, flags), e.id[:]...)
	dst = le.AppendUint64(dst, e.previous)
	dst = le.AppendUint64(dst, uint64(e.amount))
	dst = le.AppendUint32(dst, e.lease)
	return le.AppendUint64(dst, uint64(e.until))
}

func appendPolicyDetails(dst []byte, op *Operation, e *topUpEntry) []byte {
	f, flags := op.topUp(), byte(detailPolicyOn)
	if f.Off {
		flags = 0
	}
	dst = le.AppendUint32(append(dst, flags), e.source)
	for _, n := range [...]int64{
		f.Threshold, op.Amount, f.Target, f.BackOff, f.KeyLifetime,
		op.Caps[capCount].Window, op.Caps[capCount].Limit, op.Caps[capSum].Window, op.Caps[capSum].Limit,
	} {
		dst = le.AppendUint64(dst, uint64(n))
	}
	return append(append(dst, byte(len(f.Payment))), f.Payment...)
}

func (e *Entry) decodeTopUp(b []byte) error {
	if len(b) != topUpDetails || b[0] > detailTopUpFlags {
		return corrupt("kind %d has %d bytes of details, want %d", e.Kind, len(b), topUpDetails)
	}
	e.TopUp = &TopUpChange{
		ID: string(AppendUUID(nil, b[1:17])), Previous: le.Uint64(b[17:]), Amount: i64(b[25:]), Lease: le.Uint32(b[33:]), Until: i64(b[37:]),
		LookupOnly: b[0]&detailLookupOnly != 0, Ended: b[0]&detailTopUpEnded != 0,
	}
	return nil
}

func (e *Entry) decodePolicy(b []byte) error {
	if len(b) < policyDetails || len(b) != policyDetails+int(b[policyDetails-1]) || len(b) > policyDetails+MaxPaymentLen || b[0] > detailPolicyOn {
		return corrupt("kind %d has %d bytes of details, want %d and a payment reference", e.Kind, len(b), policyDetails)
	}
	n := func(i int) int64 { return i64(b[5+8*i:]) }
	e.Policy = &TopUpTerms{
		On: b[0]&detailPolicyOn != 0, Source: le.Uint32(b[1:]), Threshold: n(0), Amount: n(1), Target: n(2), BackOff: n(3), KeyLifetime: n(4),
		CountCap: Cap{n(5), n(6)}, SumCap: Cap{n(7), n(8)}, Payment: string(b[policyDetails:]),
	}
	return nil
}
