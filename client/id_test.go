package client

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestIDsCarryTheirTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMilli(rapid.Int64Range(idEpoch*1000, 9e12).Draw(t, "ms"))
		id := newID(at)
		if issuedAt, ok := IssuedAt(id); !ok || issuedAt != at.UnixNano() {
			t.Fatalf("id %q made at %v: carries %d, %v", id, at, issuedAt, ok)
		}
		u, err := uuid.Parse(id)
		if err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 || u.String() != id {
			t.Fatalf("%q is not a UUIDv7 in canonical text", id)
		}
		if later := newID(at.Add(time.Millisecond)); later <= id {
			t.Fatalf("%q of a later millisecond sorts before %q", later, id)
		}
		if newID(at) == id {
			t.Fatalf("%q twice", id)
		}
	})
}

func TestOtherIDsCarryNone(t *testing.T) {
	for _, id := range []string{
		"", "order-17", "customer-payment", "customer-payment-of-2026-11-22-no-17",
		"3f2504e0-4f89-41d3-9a0c-0305e82c3301", // version 4
		"00000000-0000-7000-8000-000000000000", // 1970
		"ffffffff-ffff-7fff-bfff-ffffffffffff", // beyond 64 bits of nanoseconds
	} {
		if at, ok := IssuedAt(id); ok {
			t.Errorf("%q carries %d", id, at)
		}
	}
}

func TestClockMovesNoFurtherThanNeeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		local := time.Unix(1_700_000_000, 0)
		c := &logClock{local: func() time.Time { return local }}
		c.ahead.Store(rapid.Int64Range(-1e12, 1e12).Draw(t, "ahead"))
		before := c.ahead.Load()
		took := time.Duration(rapid.Int64Range(0, 1e10).Draw(t, "took"))
		stamp := local.UnixNano() + rapid.Int64Range(-1e12, 1e12).Draw(t, "stamp")
		c.observe(took, stamp)

		// The cluster's clock showed stamp at some moment between sending and now.
		now := c.now().UnixNano()
		if now < stamp || now > stamp+int64(took) {
			t.Fatalf("corrected to %d, stamp %d, took %d", now, stamp, took)
		}
		agreed := local.UnixNano()+before >= stamp && local.UnixNano()+before <= stamp+int64(took)
		if agreed && c.ahead.Load() != before {
			t.Fatalf("clocks agreed, moved from %d to %d nevertheless", before, c.ahead.Load())
		}
	})
}
