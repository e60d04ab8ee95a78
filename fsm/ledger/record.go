package ledger

// Operation id record, operationBytes long:
//
//	index 8 | key 16 | payload 8 | keep 8 | sequence 8 or cell 2, side 1, 0, failed member or account 4 | three values of 8
//	| attempt 4 | form of the key 1 | kind and flags 1 | code 2
//
// Values of an applied operation: debit posted, credit posted or (Kind.tellsAmount) amount, available. Of a refused one: asked, available, version.
const (
	offKey      = 8
	offPayload  = 24
	offKeep     = 32
	offSequence = 40 // applied
	offCell     = 40 // refused
	offSide     = 42
	offFailed   = 44
	offValues   = 48
	offAttempt  = 72
	offHow      = 76
	offKind     = 77
	offCode     = 78
)

// Flags beside the kind.
const (
	// recordExact: the record speaks for one payload of its id only, see identity.go.
	recordExact = 0x80
	// recordAhead: it was recorded with a keep ahead of log time.
	recordAhead = 0x40
)

// record reads an operation id record.
type record []byte

func (r record) matches(k *key) bool {
	return r[offHow] == k.how && le.Uint64(r[offKey:]) == le.Uint64(k.b[:]) && le.Uint64(r[offKey+8:]) == le.Uint64(k.b[8:])
}

func (r record) key() []byte     { return r[offKey : offKey+16] }
func (r record) payload() uint64 { return le.Uint64(r[offPayload:]) }
func (r record) keep() int64     { return i64(r[offKeep:]) }
func (r record) cell() uint16    { return le.Uint16(r[offCell:]) }
func (r record) attempt() uint32 { return le.Uint32(r[offAttempt:]) }
func (r record) exact() bool     { return r[offKind]&recordExact != 0 }
func (r record) ahead() bool     { return r[offKind]&recordAhead != 0 }
func (r record) kind() Kind      { return Kind(r[offKind] &^ (recordExact | recordAhead)) }
func (r record) code() Code      { return Code(le.Uint16(r[offCode:])) }
func (r record) applied() bool   { return r.code() == CodeApplied }

// newer orders records of one id, whatever their payload: by attempt, then by the index of their last change.
func (r record) newer(than record) bool {
	if a, b := r.attempt(), than.attempt(); a != b {
		return a > b
	}
	if a, b := le.Uint64(r), le.Uint64(than); a != b {
		return a > b
	}
	return r.payload() > than.payload()
}

// result is the answer that was recorded, given again.
func (r record) result() Result {
	res := Result{Code: r.code(), Replayed: true, Attempt: r.attempt()}
	if res.Code == CodeApplied {
		res.Sequence = le.Uint64(r[offSequence:])
		res.DebitPosted, res.CreditPosted, res.Available = i64(r[offValues:]), i64(r[offValues+8:]), i64(r[offValues+16:])
		if r.kind().tellsAmount() {
			res.CreditPosted, res.Amount = 0, res.CreditPosted
		}
		return res
	}
	res.Side = Side(r[offSide])
	if res.Code == CodeGroupRefused {
		res.FailedMember = le.Uint32(r[offFailed:])
	} else {
		res.Account = le.Uint32(r[offFailed:])
	}
	res.Asked, res.Available, res.Version = i64(r[offValues:]), i64(r[offValues+8:]), le.Uint64(r[offValues+16:])
	return res
}

func (r record) put(m *member, kind Kind, res *Result, keep int64, cell uint16, flags byte) {
	copy(r[offKey:], m.key.b[:])
	le.PutUint64(r[offPayload:], m.payload)
	putI64(r[offKeep:], keep)
	if res.Code == CodeApplied {
		le.PutUint64(r[offSequence:], res.Sequence)
		putI64(r[offValues:], res.DebitPosted)
		putI64(r[offValues+8:], res.CreditPosted+res.Amount) // one of them is 0
		putI64(r[offValues+16:], res.Available)
	} else {
		le.PutUint16(r[offCell:], cell)
		r[offSide] = byte(res.Side)
		le.PutUint32(r[offFailed:], res.FailedMember|res.Account) // one of them is 0
		putI64(r[offValues:], res.Asked)
		putI64(r[offValues+8:], res.Available)
		le.PutUint64(r[offValues+16:], res.Version)
	}
	le.PutUint32(r[offAttempt:], res.Attempt)
	r[offHow], r[offKind] = m.key.how, byte(kind)|flags
	le.PutUint16(r[offCode:], uint16(res.Code))
}
