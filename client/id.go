package client

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// idEpoch is the oldest time that is believed of an id: 2020-01-01, Unix seconds.
const idEpoch = 1577836800

// NewID makes an operation id: a UUIDv7 in its canonical text, which carries the present time in milliseconds and 74
// random bits, and sorts by time. The store keeps it in 16 bytes.
func NewID() string { return newID(time.Now()) }

// NewID makes an operation id that carries the present time as the cluster sees it.
func (c *Client) NewID() string { return newID(c.clock.now()) }

func newID(now time.Time) string {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[:8], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(u[6:]) // never fails
	u[6] = u[6]&0x0f | 0x70 // version 7
	u[8] = u[8]&0x3f | 0x80 // RFC 9562 variant
	return u.String()
}

// IssuedAt reads the time that an id carries, Unix nanoseconds: of ids made by NewID and of other UUIDv7s in their
// canonical text. False for ids of other forms.
func IssuedAt(id string) (int64, bool) {
	if len(id) != len(uuid.UUID{})*2+4 {
		return 0, false
	}
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
		return 0, false
	}
	milliseconds := int64(binary.BigEndian.Uint64(u[:8]) >> 16)
	if !believable(milliseconds) {
		return 0, false
	}
	return milliseconds * int64(time.Millisecond), true
}

// believable reports whether a time, Unix milliseconds, may be an id's.
func believable(milliseconds int64) bool {
	// Later than this does not fit nanoseconds in 64 bits.
	const last = int64(1<<63-1) / int64(time.Millisecond)
	return milliseconds >= idEpoch*1000 && milliseconds <= last
}
