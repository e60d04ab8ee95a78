package proposal

// Texts are written as a length byte and the bytes. A text that is a UUID in its canonical form (36 characters, lower
// case) is written as the byte packedUUID and its 16 bytes: ids are most of what an operation weighs.
const (
	packedUUID = 0x80
	uuidBytes  = 16
	uuidText   = 36
)

// appendText appends a text. More than MaxText bytes are cut to MaxText: all bounds of the ledger are lower, so that
// such an operation is answered as invalid on every member.
func appendText(dst, s []byte) []byte {
	if len(s) == uuidText {
		if packed, ok := packUUID(s); ok {
			return append(append(dst, packedUUID), packed[:]...)
		}
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
		arena = appendUUID(arena, b[:uuidBytes])
		return arena[at:len(arena):len(arena)], b[uuidBytes:], arena, true
	case n > MaxText || n > len(b):
		return nil, nil, arena, false
	case n == 0:
		return nil, b, arena, true
	case n == uuidText:
		if _, packable := packUUID(b[:n]); packable {
			return nil, nil, arena, false // it has a shorter encoding, the only one
		}
	}
	return b[:n:n], b[n:], arena, true
}

// packUUID packs the canonical text of a UUID; ok is false for any other text.
func packUUID(s []byte) (packed [uuidBytes]byte, ok bool) {
	if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return packed, false
	}
	at := 0
	for i := 0; i < uuidText; {
		if s[i] == '-' && (i == 8 || i == 13 || i == 18 || i == 23) {
			i++
			continue
		}
		hi, lo := unhex(s[i]), unhex(s[i+1])
		if hi|lo > 0xf {
			return packed, false
		}
		packed[at] = hi<<4 | lo
		at++
		i += 2
	}
	return packed, true
}

// unhex is 0xff for what is not a lower-case hexadecimal digit.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

func appendUUID(dst, packed []byte) []byte {
	const digits = "0123456789abcdef"
	for i, c := range packed {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[c>>4], digits[c&0xf])
	}
	return dst
}
