package client

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"

	"github.com/google/uuid"
)

// An id made here is 16 bytes of text, the longest that the store keeps as it is (longer ones cost it a digest, and
// more bytes in every log). 15 characters carry 90 bits, most significant first, in an alphabet that sorts like its
// values; the last one marks the form, so that nobody's own 16 letters are taken for a time.
//
//	 0                5                              15
//	+------------------+------------------------------+---+
//	| Unix seconds, 32 | random start + count, 58 bits | ~ |
//	+------------------+------------------------------+---+
//
// The 58 bits start at random in each second and count up, so one source never repeats itself, and two sources meet
// only if their starts of the same second lie within each other's count: with ten sources of 10,000 ids a second each,
// about once in ten thousand years.
const (
	idLen      = 16
	idMark     = '~'
	idCountLen = 58
	idAlphabet = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
	// idEpoch is the oldest time that is believed of an id: 2020-01-01, Unix seconds.
	idEpoch = 1577836800
)

// idSource makes ids; safe for concurrent use.
type idSource struct {
	encoding *base64.Encoding

	mu     sync.Mutex
	second uint32
	count  uint64
}

func newIDSource() *idSource { return &idSource{encoding: idEncoding()} }

func idEncoding() *base64.Encoding {
	return base64.NewEncoding(idAlphabet).WithPadding(base64.NoPadding)
}

// next makes an id that carries now, in whole seconds.
func (s *idSource) next(now time.Time) string {
	second := uint32(now.Unix())
	s.mu.Lock()
	if second != s.second || s.count == 0 {
		s.second, s.count = second, randomCount()
	}
	s.count++
	count := s.count & (1<<idCountLen - 1)
	s.mu.Unlock()
	return encodeID(s.encoding, second, count)
}

// randomCount is where a second's count starts. crypto/rand.Read never fails.
func randomCount() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

func encodeID(encoding *base64.Encoding, second uint32, count uint64) string {
	// 96 bits, of which the last 6 are cut off with the last character.
	var raw [12]byte
	binary.BigEndian.PutUint32(raw[0:], second)
	binary.BigEndian.PutUint64(raw[4:], count<<(64-idCountLen))
	var text [idLen]byte
	encoding.Encode(text[:], raw[:])
	text[idLen-1] = idMark
	return string(text[:])
}

// NewID makes an operation id: 16 bytes of text that carry the present time and 58 random bits, and sort by time to the
// second. A process that makes thousands a second should use Client.NewID, which also counts.
func NewID() string { return newIDSource().next(time.Now()) }

// NewID makes an operation id that carries the present time as the cluster sees it and sorts by it. It is never one
// that this Client made before.
func (c *Client) NewID() string { return c.ids.next(c.clock.now()) }

// IssuedAt reads the time that an id carries, Unix nanoseconds: of ids made by NewID (whole seconds) and of UUIDv7s in
// their canonical text (milliseconds). False for ids of other forms.
func IssuedAt(id string) (int64, bool) {
	switch len(id) {
	case idLen:
		return ownIDTime(id)
	case 36:
		return uuidTime(id)
	}
	return 0, false
}

func ownIDTime(id string) (int64, bool) {
	if id[idLen-1] != idMark {
		return 0, false
	}
	// The mark stands for 6 bits that are not used: any letter of the alphabet decodes in its place.
	raw, err := idEncoding().DecodeString(id[:idLen-1] + idAlphabet[:1])
	if err != nil {
		return 0, false
	}
	seconds := int64(binary.BigEndian.Uint32(raw))
	return seconds * int64(time.Second), seconds >= idEpoch
}

func uuidTime(id string) (int64, bool) {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
		return 0, false
	}
	milliseconds := int64(binary.BigEndian.Uint64(u[:8]) >> 16)
	return milliseconds * int64(time.Millisecond), milliseconds/1000 >= idEpoch
}
