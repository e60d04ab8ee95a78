package ledger

import (
	"errors"
	"fmt"
	"slices"
)

// EntryKind says what an entry records; the numbers are ballast.v1.EntryKind's, append-only.
type EntryKind uint8

// Kinds of entries. The first three are those of the operations with the same numbers.
const (
	EntryCredit         EntryKind = 1
	EntryDebit          EntryKind = 2
	EntryTransfer       EntryKind = 3
	EntryLedgerCreated  EntryKind = 4
	EntryAccountCreated EntryKind = 5
	EntryLimitsSet      EntryKind = 6
	EntryFrozenSet      EntryKind = 7
	EntryAccountClosed  EntryKind = 8
	EntryHoldCreated    EntryKind = 9
	EntryHoldCaptured   EntryKind = 10
	EntryHoldVoided     EntryKind = 11
	EntryHoldExtended   EntryKind = 12
	EntryHoldExpired    EntryKind = 13
	EntryUpTo           EntryKind = 14
	EntryReversal       EntryKind = 15
	EntryVelocitySet    EntryKind = 16
	EntryLowBalanceSet  EntryKind = 17
	EntryLowBalance     EntryKind = 18
	EntryTopUpPolicySet EntryKind = 19
	EntryTopUpOpened    EntryKind = 20
	EntryTopUpLeased    EntryKind = 21
	EntryTopUpSucceeded EntryKind = 22
	EntryTopUpDeclined  EntryKind = 23
	EntryTopUpUnknown   EntryKind = 24
	EntryTopUpCancelled EntryKind = 25
	// EntryNewest is the highest kind that this version writes.
	EntryNewest = EntryTopUpCancelled
)

// Entry is the immutable record of an operation that took effect. Byte slices alias what it was decoded from.
type Entry struct {
	Sequence uint64 // from 1, without gaps
	Time     int64  // log time, Unix nanoseconds
	Kind     EntryKind
	// OperationID is the caller's id, in full.
	OperationID []byte
	// Slots of the accounts, see State.AccountBySlot. Credit is the account that an entry without an amount is about; for
	// EntryLedgerCreated it is @NAME/credits, and @NAME/debits has the next slot.
	HasDebit, HasCredit   bool
	DebitSlot, CreditSlot uint32
	// Sequence numbers of the accounts' previous entries; 0: none.
	PrevDebit, PrevCredit uint64
	// Amount in minor units, and both posted balances right after.
	Amount                    int64
	DebitPosted, CreditPosted int64
	// The caller's own.
	EventTime int64
	Code      uint32
	Reference []byte

	// EntryLedgerCreated: Name, Asset, Scale. EntryAccountCreated: Name is the account's id, Ledger its ledger's slot.
	Name   []byte
	Asset  []byte
	Scale  uint8
	Ledger uint32
	// EntryAccountCreated and EntryLimitsSet: the limits in force after. EntryFrozenSet: the flags after.
	Floor, Ceiling        int64
	HasCeiling            bool
	Frozen, FrozenCredits bool

	// Entries of a hold. Hold is its id; PrevHold the sequence of its entry before, 0 for the first; Remaining what is held
	// after, Released what this entry gave back uncaptured, Expires its time, Unix nanoseconds. Ended: this is its end.
	Hold                []byte
	PrevHold            uint64
	Remaining, Released int64
	Expires             int64
	InParts, Ended      bool

	// EntryUpTo: what was asked. EntryReversal: the entry that was reversed. EntryVelocitySet: the caps after.
	Asked    int64
	Original uint64
	Caps     [MaxCaps]Cap
	// EntryLowBalanceSet and EntryLowBalance: the threshold (0: none) and what is available, after.
	Threshold, Available int64

	// TopUp is what an entry says of a top-up, Policy what EntryTopUpPolicySet says of the policy; nil for other kinds.
	TopUp  *TopUpChange
	Policy *TopUpTerms

	// Link is the low half of the chain's hash after this entry, see Chain.
	Link uint64
}

// Layout of an entry; docs/formats/entry.md has the table.
//
//	length 2 | version 1 | kind 1 | flags 2 | id length 1 | reference length 1 | sequence 8 | time 8 | slots 4, 4
//	| previous 8, 8 | amount 8 | posted 8, 8 | event time 0 or 8 | code 0 or 4 | id | reference | details | link 8
const (
	entryVersion = 1
	entryFixed   = 72
	linkBytes    = 8
	// MinEntryBytes and MaxEntryBytes bound the length of an encoded entry.
	MinEntryBytes = entryFixed + 1 + linkBytes
	MaxEntryBytes = entryFixed + 8 + 4 + MaxIDLen + MaxReferenceLen + detailsMax + linkBytes
	detailsMax    = policyDetails + MaxPaymentLen
	holdDetails   = 34 // without the id
)

// Flags of an entry.
const (
	entryHasDebit     = 1 << 0
	entryHasCredit    = 1 << 1
	entryHasEventTime = 1 << 2
	entryHasCode      = 1 << 3
	entryUUID         = 1 << 4 // the id is the usual text of the 16 bytes stored
	entryFlags        = 1<<5 - 1
)

// appendEntry encodes the effect as the next entry, with the chain's link behind it.
func (s *State) appendEntry(dst []byte, e *effect) []byte {
	start, op := len(dst), e.op
	s.meta.sequence++
	flags, id := e.flags(), op.ID
	if u, ok := ParseUUID(id); ok {
		flags, id = flags|entryUUID, u[:]
	}
	dst = slices.Grow(dst, MaxEntryBytes)[:start+entryFixed]
	b := dst[start : start+entryFixed : start+entryFixed]
	b[2], b[3] = entryVersion, byte(e.kind)
	le.PutUint16(b[4:], flags)
	b[6], b[7] = byte(len(id)), byte(len(op.Reference))
	le.PutUint64(b[8:], s.meta.sequence)
	putI64(b[16:], s.meta.logTime)
	le.PutUint32(b[24:], e.debit)
	le.PutUint32(b[28:], e.credit)
	le.PutUint64(b[32:], e.prevDebit)
	le.PutUint64(b[40:], e.prevCredit)
	putI64(b[48:], e.amount)
	putI64(b[56:], e.debitPosted)
	putI64(b[64:], e.creditPosted)
	if op.EventTime != 0 {
		dst = le.AppendUint64(dst, uint64(op.EventTime))
	}
	if op.Code != 0 {
		dst = le.AppendUint32(dst, op.Code)
	}
	dst = append(append(dst, id...), op.Reference...)
	dst = s.appendDetails(dst, e)
	le.PutUint16(dst[start:], uint16(len(dst)-start+linkBytes))
	s.meta.journal = chain(s.meta.journal, dst[start:])
	dst = le.AppendUint64(dst, s.meta.journal[0])
	s.meta.bytes += uint64(len(dst) - start)
	return dst
}

// flags of the entry, but for that of the id's form.
func (e *effect) flags() (flags uint16) {
	if e.hasDebit {
		flags |= entryHasDebit
	}
	if e.hasCredit {
		flags |= entryHasCredit
	}
	if e.op.EventTime != 0 {
		flags |= entryHasEventTime
	}
	if e.op.Code != 0 {
		flags |= entryHasCode
	}
	return flags
}

// Flags in the details.
const (
	detailCeiling       = 1 << 0
	detailFrozen        = 1 << 1
	detailFrozenCredits = 1 << 2
	detailFlags         = 1<<3 - 1
	// Of entries of holds.
	detailParts     = 1 << 0
	detailEnded     = 1 << 1
	detailHoldFlags = 1<<2 - 1
)

// appendDetails encodes what only one kind of entry has, so that the journal alone tells all that happened.
func (s *State) appendDetails(dst []byte, e *effect) []byte {
	switch e.kind {
	case EntryLedgerCreated:
		dst = append(dst, e.op.Scale, byte(len(e.op.Ledger)), byte(len(e.op.Asset)))
		return append(append(dst, e.op.Ledger...), e.op.Asset...)
	case EntryAccountCreated, EntryLimitsSet, EntryFrozenSet:
		flags := byte(0)
		if e.after.flags&flagCeiling != 0 {
			flags |= detailCeiling
		}
		if e.after.flags&flagFrozen != 0 {
			flags |= detailFrozen
		}
		if e.after.flags&flagFrozenCredits != 0 {
			flags |= detailFrozenCredits
		}
		dst = append(dst, flags)
		if e.kind == EntryFrozenSet {
			return dst
		}
		dst = le.AppendUint64(dst, uint64(e.after.floor))
		dst = le.AppendUint64(dst, uint64(e.after.ceiling))
		if e.kind == EntryAccountCreated {
			dst = le.AppendUint32(dst, e.after.ledger)
			dst = append(append(dst, byte(len(e.op.Credit))), e.op.Credit...)
		}
	case EntryHoldCreated, EntryHoldCaptured, EntryHoldVoided, EntryHoldExtended, EntryHoldExpired:
		return appendHoldDetails(dst, e.kind, &s.work.holdEntries[e.detail-1])
	case EntryTopUpPolicySet:
		return appendPolicyDetails(dst, e.op, &s.work.topUpEntries[e.detail-1])
	case EntryTopUpOpened, EntryTopUpLeased, EntryTopUpSucceeded, EntryTopUpDeclined, EntryTopUpUnknown, EntryTopUpCancelled:
		return appendTopUpDetails(dst, &s.work.topUpEntries[e.detail-1])
	case EntryUpTo:
		return le.AppendUint64(dst, uint64(e.op.Amount))
	case EntryReversal:
		return le.AppendUint64(dst, e.op.Entry)
	case EntryVelocitySet:
		for _, c := range e.op.Caps {
			dst = le.AppendUint64(le.AppendUint64(dst, uint64(c.Window)), uint64(c.Limit))
		}
	case EntryLowBalanceSet:
		return le.AppendUint64(le.AppendUint64(dst, uint64(e.op.Amount)), uint64(e.after.available()))
	case EntryLowBalance:
		return le.AppendUint64(le.AppendUint64(dst, uint64(s.low.threshold(e.credit))), uint64(e.after.available()))
	}
	return dst
}

// namesHold: an entry of this kind carries the hold's id; of the others the operation's id is the hold's.
func (k EntryKind) namesHold() bool { return k != EntryHoldCreated && k != EntryHoldExpired }

func appendHoldDetails(dst []byte, kind EntryKind, h *holdEntry) []byte {
	flags, id := byte(0), h.id
	if h.parts {
		flags |= detailParts
	}
	if h.ended {
		flags |= detailEnded
	}
	if !kind.namesHold() {
		id = nil
	}
	dst = le.AppendUint64(append(dst, flags), h.previous)
	dst = le.AppendUint64(dst, uint64(h.remaining))
	dst = le.AppendUint64(dst, uint64(h.released))
	dst = le.AppendUint64(dst, uint64(h.expires))
	return append(append(dst, byte(len(id))), id...)
}

// Errors of DecodeEntry.
var (
	// ErrEntryShort: the bytes end before the entry does. More of them are needed.
	ErrEntryShort = errors.New("entry is cut short")
	// ErrEntryCorrupt: this is not an entry, or one of a newer version.
	ErrEntryCorrupt = errors.New("entry is corrupt")
)

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrEntryCorrupt, fmt.Sprintf(format, args...))
}

// EntryLen is the length of the entry that b begins with. b needs 2 bytes for that.
func EntryLen(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, ErrEntryShort
	}
	n := int(le.Uint16(b))
	if n < MinEntryBytes || n > MaxEntryBytes {
		return 0, corrupt("length %d, want %d to %d", n, MinEntryBytes, MaxEntryBytes)
	}
	return n, nil
}

// DecodeEntry decodes the entry that b begins with and returns its length. It checks the form; that the content is what
// was written is checked by Chain.
func DecodeEntry(b []byte) (Entry, int, error) {
	n, err := EntryLen(b)
	if err != nil {
		return Entry{}, 0, err
	}
	if len(b) < n {
		return Entry{}, 0, ErrEntryShort
	}
	e, rest, err := decodeFixed(b[:n-linkBytes])
	if err != nil {
		return Entry{}, 0, err
	}
	if err := e.decodeDetails(rest); err != nil {
		return Entry{}, 0, err
	}
	e.Link = le.Uint64(b[n-linkBytes:])
	return e, n, nil
}

func decodeFixed(b []byte) (Entry, []byte, error) {
	if b[2] != entryVersion {
		return Entry{}, nil, corrupt("version %d, this program reads %d", b[2], entryVersion)
	}
	e := Entry{
		Kind: EntryKind(b[3]), Sequence: le.Uint64(b[8:]), Time: i64(b[16:]), DebitSlot: le.Uint32(b[24:]), CreditSlot: le.Uint32(b[28:]),
		PrevDebit: le.Uint64(b[32:]), PrevCredit: le.Uint64(b[40:]), Amount: i64(b[48:]), DebitPosted: i64(b[56:]), CreditPosted: i64(b[64:]),
	}
	flags, idLen, refLen := le.Uint16(b[4:]), int(b[6]), int(b[7])
	e.HasDebit, e.HasCredit = flags&entryHasDebit != 0, flags&entryHasCredit != 0
	rest := b[entryFixed:]
	need := idLen + refLen
	if flags&entryHasEventTime != 0 {
		need += 8
	}
	if flags&entryHasCode != 0 {
		need += 4
	}
	uuid := flags&entryUUID != 0
	switch {
	case flags&^entryFlags != 0:
		return e, nil, corrupt("flags %#x, known are %#x", flags, entryFlags)
	case idLen == 0 || idLen > MaxIDLen || uuid && idLen != 16 || refLen > MaxReferenceLen:
		return e, nil, corrupt("an id of %d bytes and a reference of %d", idLen, refLen)
	case len(rest) < need:
		return e, nil, corrupt("%d bytes, its parts need %d more", len(b), need-len(rest))
	}
	if flags&entryHasEventTime != 0 {
		e.EventTime, rest = i64(rest), rest[8:]
	}
	if flags&entryHasCode != 0 {
		e.Code, rest = le.Uint32(rest), rest[4:]
	}
	e.OperationID, e.Reference, rest = rest[:idLen:idLen], rest[idLen:idLen+refLen:idLen+refLen], rest[idLen+refLen:]
	if uuid {
		e.OperationID = AppendUUID(make([]byte, 0, UUIDTextLen), e.OperationID)
	}
	return e, rest, nil
}

func (e *Entry) decodeDetails(b []byte) error {
	want := 0
	switch e.Kind {
	case EntryCredit, EntryDebit, EntryTransfer, EntryAccountClosed:
	case EntryLedgerCreated:
		want = 3
	case EntryAccountCreated:
		want = 22
	case EntryLimitsSet:
		want = 17
	case EntryFrozenSet:
		want = 1
	case EntryHoldCreated, EntryHoldCaptured, EntryHoldVoided, EntryHoldExtended, EntryHoldExpired:
		return e.decodeHold(b)
	case EntryUpTo, EntryReversal, EntryVelocitySet, EntryLowBalanceSet, EntryLowBalance:
		return e.decodeNumbers(b)
	case EntryTopUpPolicySet:
		return e.decodePolicy(b)
	case EntryTopUpOpened, EntryTopUpLeased, EntryTopUpSucceeded, EntryTopUpDeclined, EntryTopUpUnknown, EntryTopUpCancelled:
		return e.decodeTopUp(b)
	default:
		return corrupt("kind %d is not known", e.Kind)
	}
	if len(b) < want {
		return corrupt("kind %d has %d bytes of details, want %d", e.Kind, len(b), want)
	}
	if e.Kind != EntryLedgerCreated && len(b) > 0 && b[0] > detailFlags {
		return corrupt("kind %d has flags %#x in its details, known are %#x", e.Kind, b[0], detailFlags)
	}
	switch e.Kind {
	case EntryLedgerCreated:
		name := int(b[1])
		want += name + int(b[2])
		if len(b) == want {
			e.Scale, e.Name, e.Asset = b[0], b[3:3+name], b[3+name:]
		}
	case EntryAccountCreated:
		want += int(b[21])
		e.Ledger, e.Name = le.Uint32(b[17:]), b[22:]
		e.decodeLimits(b)
	case EntryLimitsSet:
		e.decodeLimits(b)
	case EntryFrozenSet:
		e.Frozen, e.FrozenCredits = b[0]&detailFrozen != 0, b[0]&detailFrozenCredits != 0
	}
	if len(b) != want {
		return corrupt("kind %d has %d bytes of details, want %d", e.Kind, len(b), want)
	}
	return nil
}

// decodeNumbers decodes details that are numbers of 8 bytes.
func (e *Entry) decodeNumbers(b []byte) error {
	want := 8
	switch e.Kind {
	case EntryVelocitySet:
		want = 16 * MaxCaps
	case EntryLowBalanceSet, EntryLowBalance:
		want = 16
	}
	if len(b) != want {
		return corrupt("kind %d has %d bytes of details, want %d", e.Kind, len(b), want)
	}
	switch e.Kind {
	case EntryUpTo:
		e.Asked = i64(b)
	case EntryReversal:
		e.Original = le.Uint64(b)
	case EntryVelocitySet:
		for i := range e.Caps {
			e.Caps[i] = Cap{i64(b[16*i:]), i64(b[16*i+8:])}
		}
	case EntryLowBalanceSet, EntryLowBalance:
		e.Threshold, e.Available = i64(b), i64(b[8:])
	}
	return nil
}

func (e *Entry) decodeHold(b []byte) error {
	if len(b) < holdDetails || len(b) != holdDetails+int(b[holdDetails-1]) || b[0] > detailHoldFlags {
		return corrupt("kind %d has %d bytes of details, want %d and an id", e.Kind, len(b), holdDetails)
	}
	e.InParts, e.Ended = b[0]&detailParts != 0, b[0]&detailEnded != 0
	e.PrevHold, e.Remaining, e.Released, e.Expires = le.Uint64(b[1:]), i64(b[9:]), i64(b[17:]), i64(b[25:])
	if e.Hold = b[holdDetails:]; !e.Kind.namesHold() {
		e.Hold = e.OperationID
	}
	if n := len(b) - holdDetails; n > MaxIDLen || (n > 0) != e.Kind.namesHold() {
		return corrupt("kind %d names a hold of %d bytes", e.Kind, n)
	}
	return nil
}

func (e *Entry) decodeLimits(b []byte) {
	e.HasCeiling, e.Floor, e.Ceiling = b[0]&detailCeiling != 0, i64(b[1:]), i64(b[9:])
}
