package client

import (
	"sync/atomic"
	"time"
)

// logClock is the local clock corrected by what answers tell of the cluster's, so that a host with a wrong clock does
// not stamp operations as too early or too old.
//
// An answer to a change says when it was stamped: between sending and receiving, so the cluster is ahead of us by
// something in [stamp - received, stamp - sent]. The correction moves only when it lies outside of that, and then no
// further than needed; with clocks that agree it stays zero.
type logClock struct {
	local func() time.Time
	ahead atomic.Int64 // nanoseconds to add to local
}

// now is the corrected time.
func (c *logClock) now() time.Time { return c.local().Add(time.Duration(c.ahead.Load())) }

// observe learns from a change that was answered just now, took this long and was stamped at stamp (Unix ns, 0: none).
func (c *logClock) observe(took time.Duration, stamp int64) {
	if stamp <= 0 {
		return
	}
	lowest := stamp - c.local().UnixNano()
	highest := lowest + int64(took)
	ahead := c.ahead.Load()
	corrected := min(max(ahead, lowest), highest)
	if corrected != ahead {
		// A lost race loses one observation of many.
		c.ahead.CompareAndSwap(ahead, corrected)
	}
}

// Now is this machine's time, corrected by what answers to this Client's changes told of the cluster's: what operations
// without an issued_at are stamped with.
func (c *Client) Now() time.Time { return c.clock.now() }
