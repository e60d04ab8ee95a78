package logstore

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// SetRetention sets how much of the log is kept from now on.
func (s *Store) SetRetention(r Retention) {
	s.keeping.Lock()
	s.keeper.limits, s.keeper.set = r, true
	s.keeping.Unlock()
	s.wake()
}

// Pin keeps the entries from index on, as far as they are there, until it is released, expires at until, or is broken.
func (s *Store) Pin(index uint64, until time.Time) *Pin {
	p := &Pin{store: s, index: index, until: until, broken: make(chan struct{})}
	s.keeping.Lock()
	s.keeper.pins = s.keeper.pins.add(p)
	s.keeping.Unlock()
	return p
}

func (s *Store) unpin(p *Pin) {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	s.keeper.pins = s.keeper.pins.drop(p)
	s.wake()
}

// Status of a store.
type Status struct {
	// Kind of the log.
	Kind Kind
	// First and Last are the log's bounds; 0 and 0: it is empty.
	First, Last uint64
	// Bytes that the entries weigh: exact for what was appended since open, estimated by samples for the rest.
	Bytes uint64
	// Oldest is about when the oldest entry was appended; zero: not known.
	Oldest time.Time
	// Retention in force; nil: raft alone decides.
	Retention *Retention
	// Pins that hold, the lowest index first.
	Pins []PinStatus
	// Writes that were done since open, and how long they took.
	Writes Latencies
}

// PinStatus is one pin.
type PinStatus struct {
	// Index of the oldest entry that it keeps.
	Index uint64
	// Bytes that the log from there on weighs.
	Bytes uint64
	// Until is when it expires.
	Until time.Time
}

// Latencies of writes, in buckets.
type Latencies struct {
	// Count of all, and their Total.
	Count uint64
	Total time.Duration
	// Last and Slowest of them.
	Last, Slowest time.Duration
	// Buckets count the writes that took less than LatencyBound of their place, and not less than that of the one before; the
	// last one has no bound.
	Buckets [latencyBuckets]uint64
}

const latencyBuckets = 18

// LatencyBound is the upper bound of a bucket of Latencies: 128 µs times two to the power of its place.
func LatencyBound(bucket int) time.Duration { return 128 * time.Microsecond << bucket }

// latencies counts without a lock.
type latencies struct {
	count, total, last, slowest atomic.Uint64
	buckets                     [latencyBuckets]atomic.Uint64
}

// add is called by one goroutine at a time.
func (l *latencies) add(took time.Duration) {
	ns := uint64(max(took, 0))
	l.count.Add(1)
	l.total.Add(ns)
	l.last.Store(ns)
	l.slowest.Store(max(l.slowest.Load(), ns))
	bucket := bits.Len64(ns / uint64(LatencyBound(0)))
	l.buckets[min(bucket, latencyBuckets-1)].Add(1)
}

func (l *latencies) read() Latencies {
	r := Latencies{
		Count: l.count.Load(), Total: time.Duration(l.total.Load()), //nolint:gosec // a sum of durations
		Last: time.Duration(l.last.Load()), Slowest: time.Duration(l.slowest.Load()), //nolint:gosec // durations
	}
	for i := range l.buckets {
		r.Buckets[i] = l.buckets[i].Load()
	}
	return r
}

// Status tells how the store is.
func (s *Store) Status() Status {
	st := Status{Kind: s.kind, Writes: s.disk.latency.read()}
	st.First, st.Last = s.bounds()
	s.keeping.Lock()
	defer s.keeping.Unlock()
	k := &s.keeper
	st.Bytes, st.Oldest = k.weights.total, k.weights.oldest()
	if k.set {
		limits := k.limits
		st.Retention = &limits
	}
	for _, p := range k.pins {
		st.Pins = append(st.Pins, PinStatus{Index: p.index, Bytes: k.weights.from(p.index), Until: p.until})
	}
	return st
}
