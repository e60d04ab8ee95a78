package ledger

import (
	"crypto/sha256"
	"slices"

	"github.com/ballastdb/ballast/fsm/page"
)

// key names an operation id in 16 bytes. how tells the three forms apart, so that no id of one form can be taken for
// one of another.
type key struct {
	b   [16]byte
	how uint8
}

// Forms of a key: a length up to 16 is that of an id kept verbatim, zero padded.
const (
	keyUUID   = 17 // the id is the usual text of this UUID
	keyDigest = 18 // SHA-256 of a longer id, cut to 128 bits
)

func keyOf(id []byte) (k key) {
	if len(id) <= 16 {
		k.how = uint8(len(id))
		copy(k.b[:], id)
		return k
	}
	if u, ok := ParseUUID(id); ok {
		return key{u, keyUUID}
	}
	sum := sha256.Sum256(id)
	k.how = keyDigest
	copy(k.b[:], sum[:])
	return k
}

// Seeds of the hashes that are part of the state: never change them.
const (
	seedPayload = 0x7061796c6f6164 // "payload"
	seedGroup   = 0x67726f7570     // "group"
	seedCell    = 0x63656c6c       // "cell"
)

// appendPayload encodes all of an operation but id, attempt, link and Original, so that two operations have the same bytes
// exactly if they ask for the same. The encoding is hashed into the state: never change it for an existing kind.
func appendPayload(dst []byte, op *Operation) []byte {
	start := len(dst)
	flags := op.payloadFlags()
	dst = slices.Grow(dst, payloadFixed+MaxReferenceLen+2*MaxAccountLen)[:start+payloadFixed]
	b := dst[start : start+payloadFixed : start+payloadFixed]
	b[0], b[1], b[2] = byte(op.Kind), flags, op.Scale
	b[3], b[4], b[5], b[6], b[7] = byte(len(op.Reference)), byte(len(op.Debit)), byte(len(op.Credit)), byte(len(op.Ledger)), byte(len(op.Asset))
	putI64(b[8:], op.IssuedAt)
	putI64(b[16:], op.EventTime)
	le.PutUint64(b[24:], uint64(op.Code))
	putI64(b[32:], op.Amount)
	putI64(b[40:], op.Floor)
	putI64(b[48:], op.Ceiling)
	dst = append(dst, op.Reference...)
	dst = append(dst, op.Debit...)
	dst = append(dst, op.Credit...)
	dst = append(dst, op.Ledger...)
	dst = append(dst, op.Asset...)
	if flags&payloadMore != 0 {
		dst = append(dst, byte(len(op.Hold)))
		dst = le.AppendUint64(append(dst, op.Hold...), uint64(op.Timeout))
		dst = le.AppendUint64(le.AppendUint64(dst, op.IfVersion), op.Entry)
		for _, c := range op.Caps {
			dst = le.AppendUint64(le.AppendUint64(dst, uint64(c.Window)), uint64(c.Limit))
		}
	}
	if op.TopUp != nil { // which those kinds always have
		dst = op.TopUp.appendPayload(dst)
	}
	return dst
}

// payloadFixed is the length of what every payload has.
const payloadFixed = 56

func (op *Operation) payloadFlags() (flags byte) {
	for i, on := range [...]bool{op.HasFloor, op.HasCeiling, op.NoCeiling, op.Frozen, op.FrozenCredits, op.Parts, op.Last, op.hasMore()} {
		if on {
			flags |= 1 << i
		}
	}
	return flags
}

// payloadMore is the flag of fields that most operations do not have.
const payloadMore = 1 << 7

func (op *Operation) hasMore() bool {
	return len(op.Hold) > 0 || op.Timeout != 0 || op.IfVersion != 0 || op.Entry != 0 || op.Caps != [MaxCaps]Cap{}
}

// primary is the account, or else the ledger, that an operation's refusals are counted against.
func primary(op *Operation) []byte {
	switch {
	case len(op.Debit) > 0:
		return op.Debit
	case len(op.Credit) > 0:
		return op.Credit
	case len(op.Hold) > 0:
		return op.Hold
	case op.TopUp != nil:
		return op.TopUp.ID
	}
	return op.Ledger
}

// cellOf is the cell whose horizon covers the operation's refusals; all members of a group share the first one's.
func cellOf(op *Operation) uint16 {
	of := primary(op)
	if op.Entry != 0 {
		key := keyOfEntry(op.Entry)
		of = key[:]
	}
	lo, _ := page.Hash(seedCell, of)
	return uint16(lo % cellCount)
}

// identify computes the members' payload hashes. A group's digest is part of its members' payloads: a member
// presented alone, or in another group, is another payload.
func (s *State) identify(ops []Operation) {
	w := &s.work
	var g [2]uint64
	for i := range ops {
		m := &w.members[i]
		w.buf = appendPayload(w.buf[:0], &ops[i])
		if len(ops) == 1 {
			m.payload, _ = page.Hash(seedPayload, w.buf)
			return
		}
		m.payload, g[0], g[1] = chainMember(w.buf, &m.key, g)
	}
	for i := range ops {
		m := &w.members[i]
		var b [32]byte
		le.PutUint64(b[:], m.payload)
		le.PutUint64(b[8:], g[0])
		le.PutUint64(b[16:], g[1])
		le.PutUint64(b[24:], uint64(i))
		m.payload, _ = page.Hash(seedGroup, b[:])
	}
}

// chainMember adds a member, its id included, to a group's digest.
func chainMember(payload []byte, k *key, g [2]uint64) (own, lo, hi uint64) {
	own, high := page.Hash(seedPayload, payload)
	var b [56]byte
	le.PutUint64(b[:], g[0])
	le.PutUint64(b[8:], g[1])
	le.PutUint64(b[16:], own)
	le.PutUint64(b[24:], high)
	copy(b[32:], k.b[:])
	b[48] = k.how
	lo, hi = page.Hash(seedGroup, b[:])
	return own, lo, hi
}
