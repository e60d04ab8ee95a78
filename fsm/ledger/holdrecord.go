package ledger

// HoldState says how far a hold has come; the numbers are ballast.v1.HoldState's, append-only.
type HoldState uint8

// States of a hold. A record without one is free.
const (
	HoldOpen     HoldState = 1
	HoldCaptured HoldState = 2
	HoldVoided   HoldState = 3
	HoldExpired  HoldState = 4
)

// Hold record, holdBytes long; docs/formats/state.md has the table. A free record is zero but for its index.
const offHoldID = 128

// flagParts: the hold may be captured in several parts.
const flagParts = 1 << 0

// hold is a hold's record but its id, decoded.
type hold struct {
	amount    int64  // when it was made
	remaining int64  // still held: above 0 while it is open, 0 after
	captured  int64  // sum of the captures
	created   int64  // log time
	expires   int64  // log time from which on it is expired
	ended     int64  // log time of its end; 0 while it is open
	first     uint64 // sequence of the entry that made it
	last      uint64 // of its newest entry
	account   uint32 // slot
	state     HoldState
	parts     bool
}

func decodeHold(rec []byte) hold {
	_ = rec[holdBytes-1]
	return hold{
		amount:    i64(rec[8:]),
		remaining: i64(rec[16:]),
		captured:  i64(rec[24:]),
		created:   i64(rec[32:]),
		expires:   i64(rec[40:]),
		ended:     i64(rec[offEnded:]),
		first:     le.Uint64(rec[offFirst:]),
		last:      le.Uint64(rec[offLast:]),
		account:   le.Uint32(rec[72:]),
		state:     HoldState(rec[offLifeState]),
		parts:     rec[77]&flagParts != 0,
	}
}

func (h *hold) encode(rec []byte) {
	_ = rec[holdBytes-1]
	putI64(rec[8:], h.amount)
	putI64(rec[16:], h.remaining)
	putI64(rec[24:], h.captured)
	putI64(rec[32:], h.created)
	putI64(rec[40:], h.expires)
	putI64(rec[offEnded:], h.ended)
	le.PutUint64(rec[offFirst:], h.first)
	le.PutUint64(rec[offLast:], h.last)
	le.PutUint32(rec[72:], h.account)
	rec[offLifeState], rec[77] = byte(h.state), 0
	if h.parts {
		rec[77] = flagParts
	}
}

func holdID(rec []byte) []byte { return rec[offHoldID : offHoldID+rec[78] : holdBytes] }

func putHoldID(rec, id []byte) {
	rec[78] = byte(len(id))
	copy(rec[offHoldID:], id)
}

// problem names a rule that the record breaks.
func (h *hold) problem() string {
	switch {
	case h.state < HoldOpen || h.state > HoldExpired:
		return "its state is not known"
	case h.amount <= 0 || h.captured < 0 || h.remaining < 0 || h.captured > h.amount-h.remaining:
		return "its amounts contradict each other"
	case (h.state == HoldOpen) != (h.remaining > 0) || (h.state == HoldOpen) != (h.ended == 0):
		return "it is open with nothing held, or has ended with something held"
	}
	return ""
}
