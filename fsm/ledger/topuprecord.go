package ledger

// TopUpState says how far a top-up has come; the numbers are ballast.v1.TopUpState's, append-only.
type TopUpState uint8

// States of a top-up. A record without one is free.
const (
	TopUpOpen      TopUpState = 1
	TopUpSucceeded TopUpState = 2
	TopUpDeclined  TopUpState = 3
	// TopUpCancelled: taken back before anybody leased it.
	TopUpCancelled TopUpState = 4
)

// Top-up record, topUpBytes long; docs/formats/state.md has the table. A free record is zero but for its index.
const (
	offTopUpID      = 96
	offTopUpHolder  = 112
	offTopUpPayment = 176
)

// flagUnknown: somebody who leased it could not tell what became of the charge.
const flagUnknown = 1 << 0

// topUp is a top-up's record but its texts, decoded.
type topUp struct {
	amount      int64  // above 0
	created     int64  // log time
	firstLease  int64  // log time of the first lease, 0: it was never leased
	leased      int64  // log time from which on it may be leased again
	keyLifetime int64  // of the policy when it was made
	ended       int64  // log time of its end; 0 while it is open
	first       uint64 // sequence of the entry that made it
	last        uint64 // of its newest entry
	account     uint32 // slot
	state       TopUpState
	unknown     bool
	lease       uint32 // number of the newest lease, 0: none
	id          [topUpIDBytes]byte
}

func decodeTopUp(rec []byte) topUp {
	_ = rec[topUpBytes-1]
	t := topUp{
		amount:      i64(rec[8:]),
		created:     i64(rec[16:]),
		firstLease:  i64(rec[24:]),
		leased:      i64(rec[32:]),
		keyLifetime: i64(rec[40:]),
		ended:       i64(rec[offEnded:]),
		first:       le.Uint64(rec[offFirst:]),
		last:        le.Uint64(rec[offLast:]),
		account:     le.Uint32(rec[72:]),
		state:       TopUpState(rec[offLifeState]),
		unknown:     rec[77]&flagUnknown != 0,
		lease:       le.Uint32(rec[80:]),
	}
	copy(t.id[:], topUpIDOf(rec))
	return t
}

func (t *topUp) encode(rec []byte) {
	_ = rec[topUpBytes-1]
	putI64(rec[8:], t.amount)
	putI64(rec[16:], t.created)
	putI64(rec[24:], t.firstLease)
	putI64(rec[32:], t.leased)
	putI64(rec[40:], t.keyLifetime)
	putI64(rec[offEnded:], t.ended)
	le.PutUint64(rec[offFirst:], t.first)
	le.PutUint64(rec[offLast:], t.last)
	le.PutUint32(rec[72:], t.account)
	rec[offLifeState], rec[77] = byte(t.state), 0
	if t.unknown {
		rec[77] = flagUnknown
	}
	le.PutUint32(rec[80:], t.lease)
	copy(rec[offTopUpID:], t.id[:])
}

func topUpIDOf(rec []byte) []byte { return rec[offTopUpID : offTopUpID+topUpIDBytes : offTopUpHolder] }

func topUpHolder(rec []byte) []byte {
	return rec[offTopUpHolder : offTopUpHolder+rec[78] : offTopUpPayment]
}

func topUpPayment(rec []byte) []byte {
	return rec[offTopUpPayment : offTopUpPayment+rec[79] : topUpBytes]
}

func putTopUpHolder(rec, holder []byte) {
	clear(rec[offTopUpHolder:offTopUpPayment])
	rec[78] = byte(len(holder))
	copy(rec[offTopUpHolder:], holder)
}

func putTopUpPayment(rec, payment []byte) {
	rec[79] = byte(len(payment))
	copy(rec[offTopUpPayment:], payment)
}

// chargeBy is the log time until which a charge under the id is sure to be one and the same; before the first lease there is
// none.
func (t *topUp) chargeBy() int64 {
	by, ok := add(t.firstLease, t.keyLifetime)
	if !ok {
		return 1<<63 - 1
	}
	return by
}

// mayCharge: whoever has the newest lease may charge until it ends. Later leases only allow to look up what became of it.
func (t *topUp) mayCharge() bool { return t.lease > 0 && t.leased <= t.chargeBy() }

// problem names a rule that the record breaks.
func (t *topUp) problem() string {
	switch {
	case t.state < TopUpOpen || t.state > TopUpCancelled:
		return "its state is not known"
	case t.amount <= 0 || t.keyLifetime <= 0:
		return "its amount or the lifetime of its key is not above 0"
	case (t.state == TopUpOpen) != (t.ended == 0):
		return "it is open and has ended, or neither"
	case (t.lease == 0) != (t.firstLease == 0):
		return "it was leased at no time, or at a time by nobody"
	}
	return ""
}
