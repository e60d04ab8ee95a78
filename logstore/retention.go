package logstore

import (
	"cmp"
	"slices"
	"time"
)

// Retention is how much of the log is kept for members that lag. What the newest snapshot does not cover is always kept,
// and the entry at the snapshot's own index with it.
type Retention struct {
	// Bytes that the log may weigh; 0: no bound.
	Bytes uint64
	// Age of the oldest entry, by the time at which the leader appended it; 0: no bound. Whichever bound is passed first
	// lets the oldest entries go.
	Age time.Duration
	// PinBytes is what the log may weigh because of pins, where that is more than Bytes. Beyond it the oldest pin is broken.
	PinBytes uint64
}

// Pin keeps the entries from an index on while a member needs them, against Retention but not beyond its PinBytes. It
// ends by itself at its expiry. Its methods may be called from any goroutine.
type Pin struct {
	store  *Store
	index  uint64
	until  time.Time
	broken chan struct{}
}

// Index is the lowest index that is kept.
func (p *Pin) Index() uint64 { return p.index }

// Broken is closed when the pin no longer holds although it was not released: it has expired, or the log became too heavy.
func (p *Pin) Broken() <-chan struct{} { return p.broken }

// Release ends the pin. A second time does nothing.
func (p *Pin) Release() { p.store.unpin(p) }

// Until sets when the pin ends by itself. Nothing happens where it has ended.
func (p *Pin) Until(t time.Time) {
	p.store.keeping.Lock()
	p.until = t
	p.store.keeping.Unlock()
	p.store.wake()
}

// pins in order of their index.
type pins []*Pin

func (ps pins) add(p *Pin) pins {
	at, _ := slices.BinarySearchFunc(ps, p.index, func(q *Pin, index uint64) int { return cmp.Compare(q.index, index) })
	return slices.Insert(ps, at, p)
}

func (ps pins) drop(p *Pin) pins { return slices.DeleteFunc(ps, func(q *Pin) bool { return q == p }) }

// keeper decides what of a log may go.
type keeper struct {
	limits  Retention
	set     bool // limits were given
	weights weights
	pins    pins
}

// broken is a pin that no longer holds, and why.
type broken struct {
	pin     *Pin
	expired bool
	bytes   uint64 // what the log from it on weighs
}

// keep is the lowest index that must stay, where the newest snapshot is at mark, and the pins that do not hold any longer:
// they are dropped. Without limits nothing is due but for what is asked.
func (k *keeper) keep(now time.Time, asked, mark uint64) (uint64, []broken) {
	lowest := min(asked, mark)
	if k.set {
		var since time.Time
		if k.limits.Age > 0 {
			since = now.Add(-k.limits.Age)
		}
		lowest = min(k.weights.keep(k.limits.Bytes, since), mark)
	}
	var gone []broken
	var held pins
	for _, p := range k.pins {
		switch bytes := k.weights.from(p.index); {
		case !now.Before(p.until):
			gone = append(gone, broken{p, true, bytes})
			continue
		case p.index < lowest && bytes > max(k.limits.PinBytes, k.limits.Bytes) && k.limits.PinBytes > 0:
			gone = append(gone, broken{p, false, bytes})
			continue
		case p.index < lowest && pinsHold():
			lowest = p.index
		}
		held = append(held, p)
	}
	k.pins = held
	return lowest, gone
}
