package ledger

const uuidTextLen = 36

// parseUUID reads the one text form that formatUUID writes, 8-4-4-4-12 lower-case hex digits, so that ids that are
// UUIDs take 16 bytes and come back as they were.
func parseUUID(s []byte) (u [16]byte, ok bool) {
	if len(s) != uuidTextLen || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	j := 0
	for i := range u {
		if j == 8 || j == 13 || j == 18 || j == 23 {
			j++
		}
		hi, lo := unhex[s[j]], unhex[s[j+1]]
		if hi|lo > 15 {
			return u, false
		}
		u[i] = hi<<4 | lo
		j += 2
	}
	return u, true
}

func appendUUID(dst []byte, u []byte) []byte {
	const digits = "0123456789abcdef"
	for i, b := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	return dst
}

// unhex maps lower-case hex digits to their values and all else to 255.
var unhex = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i, c := range "0123456789abcdef" {
		t[c] = byte(i)
	}
	return t
}()
