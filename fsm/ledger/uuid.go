package ledger

import "slices"

// UUIDTextLen is the length of a UUID's usual text.
const UUIDTextLen = 36

// Where the digits of a UUID's text are, 8 at a time, in two pieces where there is a dash between.
const (
	firstDash, secondDash, thirdDash, fourthDash = 8, 13, 18, 23
)

// ParseUUID reads the one text form that AppendUUID writes, 8-4-4-4-12 lower-case hex digits, so that ids that are UUIDs
// take 16 bytes and come back as they were. false: it is another text.
func ParseUUID(s []byte) (u [16]byte, ok bool) {
	if len(s) != UUIDTextLen || s[firstDash] != '-' || s[secondDash] != '-' || s[thirdDash] != '-' || s[fourthDash] != '-' {
		return u, false
	}
	a, okA := unhex(le.Uint64(s))
	b, okB := unhex(uint64(le.Uint32(s[9:])) | uint64(le.Uint32(s[14:]))<<32)
	c, okC := unhex(uint64(le.Uint32(s[19:])) | uint64(le.Uint32(s[24:]))<<32)
	d, okD := unhex(le.Uint64(s[28:]))
	le.PutUint32(u[:], a)
	le.PutUint32(u[4:], b)
	le.PutUint32(u[8:], c)
	le.PutUint32(u[12:], d)
	return u, okA && okB && okC && okD
}

// AppendUUID appends the text of a UUID, which has 16 bytes.
func AppendUUID(dst, u []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, UUIDTextLen)[:start+UUIDTextLen]
	s := dst[start:]
	s[firstDash], s[secondDash], s[thirdDash], s[fourthDash] = '-', '-', '-', '-'
	b, c := hexOf(le.Uint32(u[4:])), hexOf(le.Uint32(u[8:]))
	le.PutUint64(s, hexOf(le.Uint32(u)))
	le.PutUint32(s[9:], uint32(b))
	le.PutUint32(s[14:], uint32(b>>32))
	le.PutUint32(s[19:], uint32(c))
	le.PutUint32(s[24:], uint32(c>>32))
	le.PutUint64(s[28:], hexOf(le.Uint32(u[12:])))
	return dst
}

// What follows works on 8 digits at a time, one in each byte of a word: an id is read on its way in and out of every
// proposal and entry, and digit by digit that took as long as the two accounts.
const (
	each     = 0x0101010101010101
	toLetter = 'a' - '9' - 1
)

// unhex packs 8 lower-case hex digits into 4 bytes. ok is false where there is anything else: then the digits of what it
// takes them for are others.
func unhex(digits uint64) (packed uint32, ok bool) {
	values := digits&(0x0f*each) + digits>>6&each*9
	values &= 0x0f * each
	pairs := (values<<4 | values>>8) & 0x00ff00ff00ff00ff
	pairs = (pairs | pairs>>8) & 0x0000ffff0000ffff
	return uint32(pairs | pairs>>16), digitsOf(values) == digits
}

// hexOf is unhex's reverse.
func hexOf(packed uint32) (digits uint64) {
	pairs := uint64(packed)
	pairs = (pairs | pairs<<16) & 0x0000ffff0000ffff
	pairs = (pairs | pairs<<8) & 0x00ff00ff00ff00ff
	return digitsOf(pairs>>4&0x000f000f000f000f | pairs&0x000f000f000f000f<<8)
}

// digitsOf writes the digits of 8 values of 0 to 15.
func digitsOf(values uint64) uint64 {
	letters := (values + 6*each) >> 4 & each
	return values + '0'*each + letters*toLetter
}
