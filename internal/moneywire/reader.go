package moneywire

import (
	"encoding/binary"
	"math"
)

// Reader takes fields off a message in wire form. The first failure sticks: then there is no more, and what was taken
// means nothing.
type Reader struct {
	b      []byte
	seen   uint32 // by number of field
	failed bool
}

// NewReader reads b, which it does not change.
func NewReader(b []byte) Reader { return Reader{b: b} }

// More reports whether another field follows.
func (r *Reader) More() bool { return len(r.b) > 0 }

// Len is the length of what is left, bytes.
func (r *Reader) Len() int { return len(r.b) }

// Failed reports whether something was not as wanted.
func (r *Reader) Failed() bool { return r.failed }

// Fail gives the message up.
func (r *Reader) Fail() { r.b, r.failed = nil, true }

// Tag takes the tag of a field. A field's second occurrence is a failure, and one with a number above 15. There must be More.
func (r *Reader) Tag() byte {
	tag := r.b[0]
	field := uint32(1) << (tag >> 3)
	if tag >= 0x80 || r.seen&field != 0 {
		r.Fail()
		return 0
	}
	r.b, r.seen = r.b[1:], r.seen|field
	return tag
}

// Repeated lets the field with this tag occur again.
func (r *Reader) Repeated(tag byte) { r.seen &^= 1 << (tag >> 3) }

// Varint takes a number.
func (r *Reader) Varint() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		v := r.b[0]
		r.b = r.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Uint32 takes a number below 2^32. Others fail: the generated code would cut them.
func (r *Reader) Uint32() uint32 {
	v := r.Varint()
	if v > math.MaxUint32 {
		r.Fail()
	}
	return uint32(v)
}

// Bytes takes a text or a message; it aliases what is read.
func (r *Reader) Bytes() []byte {
	n := r.Varint()
	if n > uint64(len(r.b)) {
		r.Fail()
		return nil
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}

// AppendNumber appends a field that is a number, unless it is 0.
func AppendNumber(b []byte, tag byte, v uint64) []byte {
	switch {
	case v == 0:
		return b
	case v < 0x80:
		return append(b, tag, byte(v))
	}
	return binary.AppendUvarint(append(b, tag), v)
}

// AppendText appends a field that is text, unless it is empty.
func AppendText(b []byte, tag byte, s string) []byte {
	if s == "" {
		return b
	}
	return append(binary.AppendUvarint(append(b, tag), uint64(len(s))), s...)
}

// Open appends the tag of a message and room for its length; Close ends it. The message has less than 16 KiB.
func Open(b []byte, tag byte) (grown []byte, start int) {
	b = append(b, tag, 0)
	return b, len(b)
}

// Close writes the length of the message that begins at start.
func Close(b []byte, start int) []byte {
	n := len(b) - start
	if n < 0x80 {
		b[start-1] = byte(n)
		return b
	}
	b = append(b, 0)
	copy(b[start+1:], b[start:])
	b[start-1], b[start] = byte(n)|0x80, byte(n>>7)
	return b
}
