package transport

import (
	"context"
	"sync"
	"time"
)

const (
	// paceInterval is how often the pace is set anew.
	paceInterval = 250 * time.Millisecond
	// paceStep is the least that an undisturbed interval adds to a pace that was cut, and paceGrowth the share of it: from the slowest to
	// a quarter of a gigabyte in about 6 s. A single second of disturbance costs what 3 s of growth give.
	paceStep   = 1 << 20
	paceGrowth = 0.25
	// paceCut is what a disturbed interval leaves of the pace.
	paceCut = 0.5
	// paceFree is where a pace that was cut is free again, where no limit is set.
	paceFree = 256 << 20
	// busyFrom is how many times its usual the commit latency may be before the pace is cut.
	busyFrom = 1.5
)

// pace keeps all bulk that this member sends together below a rate, whoever it is for. What is not used is not saved up.
//
// The rate is the lesser of the limit that is set and one that gives way to callers: when Config.Busy says that commits take
// more than busyFrom times as long as usual, half of what went in the last interval, and each interval without that a
// quarter more, until the limit, or a quarter of a gigabyte, is reached. It never falls below what keeps a transfer from looking as if it stood still.
type pace struct {
	now  func() time.Time
	busy func() float64
	// slowest is the floor of the rate, bytes a second.
	slowest float64

	mu    sync.Mutex
	limit float64   // bytes a second; 0: none
	cut   float64   // the rate that gives way; 0: it does not now
	next  time.Time // when the next bytes may go
	// since is when the present interval began, sent what went in it.
	since time.Time
	sent  float64
	// went is how fast it went in the interval before, bytes a second.
	went float64
}

// set changes the limit; 0: none.
func (p *pace) set(limit float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = limit
	if p.cut >= limit && limit > 0 {
		p.cut = 0
	}
}

// delay is how long bytes that are to go now have to wait; they count as gone then.
func (p *pace) delay(bytes int) time.Duration {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.adapt(now)
	p.sent += float64(bytes)
	rate := p.rate()
	if rate == 0 {
		p.next = now
		return 0
	}
	if p.next.Before(now) {
		p.next = now
	}
	wait := p.next.Sub(now)
	p.next = p.next.Add(time.Duration(float64(bytes) / rate * float64(time.Second)))
	return wait
}

// rate in force; 0: none. The caller holds mu.
func (p *pace) rate() float64 {
	switch {
	case p.cut == 0:
		return p.limit
	case p.limit == 0:
		return p.cut
	}
	return min(p.cut, p.limit)
}

// adapt sets the rate that gives way, where an interval is over. The caller holds mu.
func (p *pace) adapt(now time.Time) {
	length := now.Sub(p.since)
	if length < paceInterval {
		return
	}
	went := p.sent / length.Seconds()
	p.went = went
	quiet := p.since.IsZero() || length > 4*paceInterval // nothing was sent for a while: nothing is known of it
	p.since, p.sent = now, 0
	if p.busy == nil {
		return
	}
	switch busy := p.busy() > busyFrom; {
	case busy && quiet:
		p.cut = p.slowest
	case busy:
		if rate := p.rate(); rate > 0 {
			went = min(went, rate)
		}
		p.cut = max(went*paceCut, p.slowest)
	case p.cut > 0:
		p.cut += max(paceStep, paceGrowth*p.cut)
		if p.limit > 0 && p.cut >= p.limit || p.cut >= paceFree {
			p.cut = 0
		}
	}
}

// feltFrom is how many times the slowest must be sent before callers can feel it.
const feltFrom = 2

// felt reports whether so much was sent of late that callers may feel it. At the slowest they do not: if they wait, it is for something else.
func (p *pace) felt() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	length := p.now().Sub(p.since)
	if length > 4*paceInterval {
		return false
	}
	return max(p.went, p.sent/max(length, paceInterval).Seconds()) > feltFrom*p.slowest
}

// wait waits until so many bytes may go.
func (p *pace) wait(ctx context.Context, bytes int) error {
	wait := p.delay(bytes)
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// PaceStatus is how fast this member may send snapshots, pages and journal to others, bytes a second.
type PaceStatus struct {
	// Limit that is set; 0: none.
	Limit float64
	// Rate in force, below Limit while callers would feel more; 0: none.
	Rate float64
}

func (p *pace) status() PaceStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PaceStatus{Limit: p.limit, Rate: p.rate()}
}
