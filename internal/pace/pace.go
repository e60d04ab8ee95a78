// Package pace lets bulk work give way to callers: it holds the work below a rate that falls while callers feel it and
// comes back when they no longer do.
//
//	            nothing known: Start, doubled each interval ── until the first disturbance, or Free
//	disturbed:  half of what went in the interval, not below Floor
//	after that: Step, or the share Growth, more each interval ── until Limit, or Free
package pace

import (
	"context"
	"sync"
	"time"
)

const (
	// Interval is how often the rate is set anew.
	Interval = 250 * time.Millisecond
	// BusyFrom is how many times its usual the latency may be before the rate is cut.
	BusyFrom = 1.5
	// Free is the rate, bytes a second, from which on nothing is held back, where no limit is set.
	Free = 256 << 20
	// defaultStep is 4 MiB/s more each second.
	defaultStep = 1 << 20
	// cut is what a disturbed interval leaves of the rate.
	cut = 0.5
)

// Config of a Pace. Rates are bytes a second.
type Config struct {
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Busy is how many times its usual the latency of what must not suffer is now. It is asked once an Interval, under a lock.
	// nil: nothing suffers.
	Busy func() float64
	// Limit is never exceeded; 0: none. See Set.
	Limit float64
	// Floor is what is always allowed, so that the work ends; above 0 where there is a Busy.
	Floor float64
	// Start is the rate that work begins with which was at rest for a second; 0: it begins at the limit.
	Start float64
	// Slack is how much of a delay that nobody asked for, such as a late awakening, is made up for: without, much work in small
	// pieces stays below its rate. Default none.
	Slack time.Duration
	// Step is what an undisturbed interval adds to a rate that was cut. Default 1 MiB.
	Step float64
	// Growth is the share of the rate that such an interval adds, where that is more than Step: one disturbed second costs what a few
	// undisturbed ones give, however far it is from Floor to Limit. Default 0.
	Growth float64
}

// Pace keeps all bulk work that shares it together below a rate. What is not used is not saved up beyond the slack.
type Pace struct {
	cfg Config

	mu       sync.Mutex
	limit    float64 // 0: none
	held     float64 // the rate that gives way; 0: it does not now
	doubling bool    // held was not cut since the work began
	next     time.Time
	// since is when the present interval began, sent what went in it.
	since time.Time
	sent  float64
	went  float64 // in the interval before, bytes a second
}

// New makes a Pace.
func New(c Config) *Pace {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Step == 0 {
		c.Step = defaultStep
	}
	return &Pace{cfg: c, limit: c.Limit}
}

// Set changes the limit, bytes a second; 0: none.
func (p *Pace) Set(limit float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = limit
	if p.held >= limit && limit > 0 {
		p.held = 0
	}
}

// Wait waits until so many bytes may go, or for the end of ctx, whose cause it returns.
func (p *Pace) Wait(ctx context.Context, bytes int) error {
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

// Status is how fast the work may go, bytes a second.
type Status struct {
	// Limit that is set; 0: none.
	Limit float64
	// Rate in force, below Limit while callers would feel more; 0: none.
	Rate float64
}

// Status of the moment.
func (p *Pace) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Status{Limit: p.limit, Rate: p.rate()}
}

// feltFrom is how many times Floor must go before callers can feel it.
const feltFrom = 2

// Felt reports whether so much went of late that callers may feel it. At Floor they do not: if they wait, it is for something else.
func (p *Pace) Felt() bool {
	now := p.cfg.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	length := now.Sub(p.since)
	if length > 4*Interval {
		return false
	}
	return max(p.went, p.sent/max(length, Interval).Seconds()) > feltFrom*p.cfg.Floor
}

// delay is how long bytes that are to go now have to wait; they count as gone then.
func (p *Pace) delay(bytes int) time.Duration {
	now := p.cfg.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.adapt(now)
	p.sent += float64(bytes)
	rate := p.rate()
	if rate == 0 {
		p.next = now
		return 0
	}
	if earliest := now.Add(-p.cfg.Slack); p.next.Before(earliest) {
		p.next = earliest
	}
	wait := max(p.next.Sub(now), 0)
	p.next = p.next.Add(time.Duration(float64(bytes) / rate * float64(time.Second)))
	return wait
}

// rate in force; 0: none. The caller holds mu.
func (p *Pace) rate() float64 {
	switch {
	case p.held == 0:
		return p.limit
	case p.limit == 0:
		return p.held
	}
	return min(p.held, p.limit)
}

// adapt sets the rate that gives way, where an interval is over. The caller holds mu.
func (p *Pace) adapt(now time.Time) {
	length := now.Sub(p.since)
	if length < Interval {
		return
	}
	went := p.sent / length.Seconds()
	rested := p.since.IsZero() || length > 4*Interval // nothing is known of it
	p.since, p.sent, p.went = now, 0, went
	if p.cfg.Busy == nil {
		return
	}
	busy := p.cfg.Busy() > BusyFrom
	switch {
	case busy && rested:
		p.held, p.doubling = p.cfg.Floor, false
	case busy:
		if rate := p.rate(); rate > 0 {
			went = min(went, rate)
		}
		p.held, p.doubling = max(went*cut, p.cfg.Floor), false
	case rested && p.cfg.Start > 0:
		p.held, p.doubling = p.cfg.Start, true
	case p.held > 0:
		p.rise()
	}
}

// rise allows more, after an interval that nobody felt. The caller holds mu.
func (p *Pace) rise() {
	if p.doubling {
		p.held *= 2
	} else {
		p.held += max(p.cfg.Step, p.cfg.Growth*p.held)
	}
	if p.limit > 0 && p.held >= p.limit || p.held >= Free {
		p.held, p.doubling = 0, false
	}
}
