package transport

import "sync/atomic"

// Sent is how much of what belongs to snapshots and journal this member has sent to others since it started, bytes.
type Sent struct {
	// Pages and records, Manifests (those of offers included) and entries of the journal.
	Pages, Manifests, Journal uint64
}

// sent counts it.
type sent struct{ pages, manifests, journal atomic.Uint64 }

// Sent tells how much this member has sent.
func (t *Transport) Sent() Sent {
	return Sent{Pages: t.sent.pages.Load(), Manifests: t.sent.manifests.Load(), Journal: t.sent.journal.Load()}
}
