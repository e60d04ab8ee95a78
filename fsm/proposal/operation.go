package proposal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/ledger"
)

// Fields of an operation that are written only where they are set, by bit of the operation's field mask and in this
// order. The commonest come first, so that a plain transfer's mask is one byte. Bits are append-only.
const (
	fieldLinked = 1 << iota // flag
	fieldDebit
	fieldCredit
	fieldAmount
	fieldEventTime
	fieldCode
	fieldReference
	fieldAttempt // absent: 1
	fieldLedger
	fieldAsset
	fieldScale
	fieldFloor
	fieldCeiling
	fieldNoCeiling     // flag
	fieldFrozen        // flag
	fieldFrozenCredits // flag
	fieldHold
	fieldTimeout
	fieldParts // flag
	fieldLast  // flag
	fieldIfVersion
	fieldEntry
	fieldOriginal
	fieldCaps
	fieldTopUp
	fieldsEnd

	fieldsKnown = fieldsEnd - 1
)

// minOperation is the length of the shortest operation: kind, mask, empty id, issued_at.
const minOperation = 1 + 1 + 1 + 8

var (
	errUnknownField     = errors.New("unknown field")
	errUnknownOperation = errors.New("unknown kind of operation")
)

func knownOperation(k ledger.Kind) bool {
	switch k {
	case ledger.KindCredit, ledger.KindDebit, ledger.KindTransfer, ledger.KindCreateLedger, ledger.KindCreateAccount,
		ledger.KindSetLimits, ledger.KindSetFrozen, ledger.KindCloseAccount, ledger.KindHold, ledger.KindCapture, ledger.KindVoid, ledger.KindExtend,
		ledger.KindUpTo, ledger.KindReverse, ledger.KindSetVelocity, ledger.KindSetLowBalance,
		ledger.KindSetTopUp, ledger.KindLeaseTopUp, ledger.KindSettleTopUp:
		return true
	}
	return false
}

// AppendOperation appends the encoding of op. A plain transfer with a UUID as its id and two accounts of 8 bytes takes
// at most 54 bytes. The operation should have passed ledger.Validate; text longer than MaxText is cut, which is refused
// as invalid when applied.
func AppendOperation(dst []byte, op *ledger.Operation) []byte {
	mask := fieldsOf(op)
	dst = append(dst, byte(op.Kind))
	dst = binary.AppendUvarint(dst, mask)
	dst = appendText(dst, op.ID)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(op.IssuedAt))
	dst = appendIf(dst, mask&fieldDebit, op.Debit)
	dst = appendIf(dst, mask&fieldCredit, op.Credit)
	if mask&fieldAmount != 0 {
		dst = binary.AppendUvarint(dst, uint64(op.Amount))
	}
	if mask&fieldEventTime != 0 {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(op.EventTime))
	}
	if mask&fieldCode != 0 {
		dst = binary.AppendUvarint(dst, uint64(op.Code))
	}
	dst = appendIf(dst, mask&fieldReference, op.Reference)
	if mask&fieldAttempt != 0 {
		dst = binary.AppendUvarint(dst, uint64(op.Attempt))
	}
	dst = appendIf(dst, mask&fieldLedger, op.Ledger)
	dst = appendIf(dst, mask&fieldAsset, op.Asset)
	if mask&fieldScale != 0 {
		dst = append(dst, op.Scale)
	}
	if mask&fieldFloor != 0 {
		dst = binary.AppendVarint(dst, op.Floor)
	}
	if mask&fieldCeiling != 0 {
		dst = binary.AppendVarint(dst, op.Ceiling)
	}
	dst = appendIf(dst, mask&fieldHold, op.Hold)
	if mask&fieldTimeout != 0 {
		dst = binary.AppendUvarint(dst, uint64(op.Timeout))
	}
	if mask >= fieldIfVersion {
		dst = appendConditions(dst, op, mask)
	}
	return dst
}

func appendConditions(dst []byte, op *ledger.Operation, mask uint64) []byte {
	if mask&fieldIfVersion != 0 {
		dst = binary.AppendUvarint(dst, op.IfVersion)
	}
	if mask&fieldEntry != 0 {
		dst = binary.AppendUvarint(dst, op.Entry)
	}
	if mask&fieldOriginal != 0 {
		o := &op.Original
		dst = append(dst, byte(o.Kind))
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(o.Debit)), uint64(o.Credit))
		dst = binary.AppendUvarint(dst, uint64(o.Amount))
	}
	if mask&fieldCaps != 0 {
		for _, c := range op.Caps {
			dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(c.Window)), uint64(c.Limit))
		}
	}
	if mask&fieldTopUp != 0 {
		dst = appendTopUp(dst, op.TopUp)
	}
	return dst
}

func appendIf(dst []byte, field uint64, s []byte) []byte {
	if field == 0 {
		return dst
	}
	return appendText(dst, s)
}

// fieldsOf is the mask of the fields that op has. Floor and Ceiling are written where Has… says so; all others where
// they are not zero.
func fieldsOf(op *ledger.Operation) uint64 {
	mask := uint64(0)
	set := func(has bool, field uint64) {
		if has {
			mask |= field
		}
	}
	set(op.Linked, fieldLinked)
	set(len(op.Debit) != 0, fieldDebit)
	set(len(op.Credit) != 0, fieldCredit)
	set(op.Amount != 0, fieldAmount)
	set(op.EventTime != 0, fieldEventTime)
	set(op.Code != 0, fieldCode)
	set(len(op.Reference) != 0, fieldReference)
	set(op.Attempt != 1, fieldAttempt)
	set(len(op.Ledger) != 0, fieldLedger)
	set(len(op.Asset) != 0, fieldAsset)
	set(op.Scale != 0, fieldScale)
	set(op.HasFloor, fieldFloor)
	set(op.HasCeiling, fieldCeiling)
	set(op.NoCeiling, fieldNoCeiling)
	set(op.Frozen, fieldFrozen)
	set(op.FrozenCredits, fieldFrozenCredits)
	set(len(op.Hold) != 0, fieldHold)
	set(op.Timeout != 0, fieldTimeout)
	set(op.Parts, fieldParts)
	set(op.Last, fieldLast)
	set(op.IfVersion != 0, fieldIfVersion)
	set(op.Entry != 0, fieldEntry)
	set(op.Original != ledger.Original{}, fieldOriginal)
	set(op.Caps != [ledger.MaxCaps]ledger.Cap{}, fieldCaps)
	set(op.TopUp != nil && !emptyTopUp(op.TopUp), fieldTopUp)
	return mask
}

// reader takes fields off a body. The first failure sticks: later takes give zero.
type reader struct {
	b     []byte
	arena []byte // characters of unpacked UUIDs
	// topUps of operations read so far. Where it grows, those that were told before stay in the memory that it had.
	topUps []ledger.TopUpFields
	err    error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s does not decode", what)
	}
	r.b = nil
}

func (r *reader) text(what string) []byte {
	s, rest, arena, ok := text(r.b, r.arena)
	r.arena = arena
	if !ok {
		r.fail(what)
		return nil
	}
	r.b = rest
	return s
}

// present is text that is there because it is not empty.
func (r *reader) present(what string) []byte {
	s := r.text(what)
	if len(s) == 0 {
		r.fail(what)
	}
	return s
}

func (r *reader) byte(what string) byte {
	if len(r.b) < 1 {
		r.fail(what)
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) fixed64(what string) uint64 {
	if len(r.b) < 8 {
		r.fail(what)
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

// uvarint refuses all but the shortest encoding of a value.
func (r *reader) uvarint(what string) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.fail(what)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) uvarint32(what string) uint32 {
	v := r.uvarint(what)
	if v > 1<<32-1 {
		r.fail(what)
	}
	return uint32(v)
}

// varint reads a zigzag encoded value.
func (r *reader) varint(what string) int64 {
	v := r.uvarint(what)
	return int64(v>>1) ^ -int64(v&1)
}

// operation reads one operation. errUnknownOperation, errUnknownField: a later version wrote it.
func (r *reader) operation(op *ledger.Operation) {
	*op = ledger.Operation{Kind: ledger.Kind(r.byte("operation kind")), Attempt: 1}
	if r.err == nil && !knownOperation(op.Kind) {
		r.err = fmt.Errorf("%w: number %d", errUnknownOperation, op.Kind)
		return
	}
	mask := r.uvarint("field mask")
	if mask&^uint64(fieldsKnown) != 0 {
		if r.err == nil {
			r.err = fmt.Errorf("%w: field mask %#x", errUnknownField, mask)
		}
		return
	}
	op.ID = r.text("operation id")
	op.IssuedAt = int64(r.fixed64("issued_at"))
	r.commonFields(op, mask)
	if mask >= fieldAttempt {
		r.rareFields(op, mask)
	}
}

func (r *reader) commonFields(op *ledger.Operation, mask uint64) {
	op.Linked = mask&fieldLinked != 0
	if mask&fieldDebit != 0 {
		op.Debit = r.present("debit account")
	}
	if mask&fieldCredit != 0 {
		op.Credit = r.present("credit account")
	}
	if mask&fieldAmount != 0 {
		op.Amount = int64(r.uvarint("amount"))
		r.check(op.Amount != 0, "amount")
	}
	if mask&fieldEventTime != 0 {
		op.EventTime = int64(r.fixed64("event time"))
		r.check(op.EventTime != 0, "event time")
	}
	if mask&fieldCode != 0 {
		op.Code = r.uvarint32("code")
		r.check(op.Code != 0, "code")
	}
	if mask&fieldReference != 0 {
		op.Reference = r.present("reference")
	}
}

func (r *reader) rareFields(op *ledger.Operation, mask uint64) {
	if mask&fieldAttempt != 0 {
		op.Attempt = r.uvarint32("attempt")
		r.check(op.Attempt != 1, "attempt")
	}
	if mask&fieldLedger != 0 {
		op.Ledger = r.present("ledger")
	}
	if mask&fieldAsset != 0 {
		op.Asset = r.present("asset")
	}
	if mask&fieldScale != 0 {
		op.Scale = r.byte("scale")
		r.check(op.Scale != 0, "scale")
	}
	if op.HasFloor = mask&fieldFloor != 0; op.HasFloor {
		op.Floor = r.varint("floor")
	}
	if op.HasCeiling = mask&fieldCeiling != 0; op.HasCeiling {
		op.Ceiling = r.varint("ceiling")
	}
	op.NoCeiling = mask&fieldNoCeiling != 0
	op.Frozen = mask&fieldFrozen != 0
	op.FrozenCredits = mask&fieldFrozenCredits != 0
	if mask >= fieldHold {
		r.holdFields(op, mask)
	}
}

func (r *reader) holdFields(op *ledger.Operation, mask uint64) {
	if mask&fieldHold != 0 {
		op.Hold = r.present("hold")
	}
	if mask&fieldTimeout != 0 {
		op.Timeout = int64(r.uvarint("timeout"))
		r.check(op.Timeout != 0, "timeout")
	}
	op.Parts = mask&fieldParts != 0
	op.Last = mask&fieldLast != 0
	if mask&fieldIfVersion != 0 {
		op.IfVersion = r.uvarint("version")
		r.check(op.IfVersion != 0, "version")
	}
	if mask&fieldEntry != 0 {
		op.Entry = r.uvarint("entry")
		r.check(op.Entry != 0, "entry")
	}
	if mask&fieldOriginal != 0 {
		op.Original = ledger.Original{
			Kind: ledger.EntryKind(r.byte("kind of the original")), Debit: r.uvarint32("original"), Credit: r.uvarint32("original"),
			Amount: int64(r.uvarint("amount of the original")),
		}
		r.check(op.Original != ledger.Original{}, "original")
	}
	if mask&fieldCaps != 0 {
		for i := range op.Caps {
			op.Caps[i] = ledger.Cap{Window: int64(r.uvarint("window of a cap")), Limit: int64(r.uvarint("limit of a cap"))}
		}
		r.check(op.Caps != [ledger.MaxCaps]ledger.Cap{}, "caps")
	}
	if mask&fieldTopUp != 0 {
		op.TopUp = r.topUp()
	}
}

// check refuses a field that is written though it has the value of an absent one.
func (r *reader) check(ok bool, what string) {
	if !ok {
		r.fail(what)
	}
}
