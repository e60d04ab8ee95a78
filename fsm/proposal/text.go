package proposal

import "github.com/ballastdb/ballast/fsm/ledger"

// Texts are written as a length byte and the bytes. A text that is a UUID in its canonical form (36 characters, lower
// case) is written as the byte packedUUID and its 16 bytes: ids are most of what an operation weighs.
const (
	packedUUID = 0x80
	uuidBytes  = 16
)

// appendText appends a text. More than MaxText bytes are cut to MaxText: all bounds of the ledger are lower, so that
// such an operation is answered as invalid on every member.
func appendText(dst, s []byte) []byte {
	if packed, ok := ledger.ParseUUID(s); ok {
		return append(append(dst, packedUUID), packed[:]...)
	}
	s = s[:min(len(s), MaxText)]
	return append(append(dst, byte(len(s))), s...)
}

// text reads a text. A UUID's 36 characters are written to the arena, which is returned grown; other texts alias b.
func text(b, arena []byte) (s, rest, grown []byte, ok bool) {
	if len(b) == 0 {
		return nil, nil, arena, false
	}
	n, b := int(b[0]), b[1:]
	switch {
	case n == packedUUID:
		if len(b) < uuidBytes {
			return nil, nil, arena, false
		}
		at := len(arena)
		arena = ledger.AppendUUID(arena, b[:uuidBytes])
		return arena[at:len(arena):len(arena)], b[uuidBytes:], arena, true
	case n > MaxText || n > len(b):
		return nil, nil, arena, false
	case n == 0:
		return nil, b, arena, true
	case n == ledger.UUIDTextLen:
		if _, packable := ledger.ParseUUID(b[:n]); packable {
			return nil, nil, arena, false // it has a shorter encoding, the only one
		}
	}
	return b[:n:n], b[n:], arena, true
}
