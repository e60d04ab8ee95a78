package client

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever waits is packed once, in order, within the bounds; what left is not, and what must be alone is.
func TestPackTakesAllInOrderWithinBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_700_000_000, 0)
		l := newLane("", nil, nil, nil)
		var want []*call
		for range rapid.IntRange(0, 60).Draw(t, "calls") {
			c := &call{
				operations: make([]byte, rapid.SampledFrom([]int{60, 1000, packBytes / 2, packBytes, maxSubmitBytes}).Draw(t, "bytes")),
				count:      rapid.SampledFrom([]int{1, 2, packOperations, maxOperations}).Draw(t, "count"),
				alone:      rapid.IntRange(0, 9).Draw(t, "alone") == 0,
				expires:    now.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond),
				done:       make(chan answer, 1),
			}
			l.queue = append(l.queue, c)
			if rapid.IntRange(0, 9).Draw(t, "left") == 0 {
				l.leave(c)
				continue
			}
			want = append(want, c)
		}
		var got []*call
		for {
			r, size := l.pack(now)
			if r == nil {
				break
			}
			checkRequest(t, r, size, now)
			got = append(got, r.calls...)
		}
		if len(got) != len(want) || len(l.queue) != 0 {
			t.Fatalf("packed %d, %d still wait, want %d", len(got), len(l.queue), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("call %d is out of order", i)
			}
		}
	})
}

func checkRequest(t *rapid.T, r *request, size int, now time.Time) {
	bytes, count := 0, 0
	shortest, longest := time.Hour, time.Duration(0)
	for _, c := range r.calls {
		if c.alone && r.shared() {
			t.Fatal("a call that must be alone is not")
		}
		if c.state != callSent {
			t.Fatal("packed but not marked as sent")
		}
		bytes += len(c.operations)
		count += c.count
		shortest, longest = min(shortest, c.expires.Sub(now)), max(longest, c.expires.Sub(now))
	}
	if bytes != size || count != r.count || r.expires.Sub(now) != shortest {
		t.Fatalf("request says %d bytes, %d operations, %v left; has %d, %d, %v", size, r.count, r.expires.Sub(now), bytes, count, shortest)
	}
	if r.shared() && (bytes > packBytes || count > packOperations || longest > 2*shortest) {
		t.Fatalf("shared: %d bytes, %d operations, %v to %v left", bytes, count, shortest, longest)
	}
}
