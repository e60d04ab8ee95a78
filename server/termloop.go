package server

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/fsm/roster"
)

// Duties are the commands that a leader proposes by itself; *Proposer does them.
type Duties interface {
	Marker(ctx context.Context, term uint64) error
	Announce(ctx context.Context, member roster.Member) error
	Checkpoint(ctx context.Context) error
	Tick(ctx context.Context) error
}

// TermClock is the time that a leader stamps with; *ClusterClock is one.
type TermClock interface {
	// Observe notes the log time that the state shows.
	Observe(logTime int64)
	// Set sets the time for a term, or adjusts it.
	Set(ctx context.Context, term uint64) error
	// Ready reports whether it was set for term.
	Ready(term uint64) bool
	// Now is the time that proposals are stamped with.
	Now() time.Time
}

// TermLoopConfig is what a TermLoop needs. Zero times mean the defaults.
type TermLoopConfig struct {
	Raft   Raft
	Duties Duties
	// Clock is set before anything is proposed in a term, and every ClockPeriod after. LogTime is the newest log time that
	// the state shows.
	Clock   TermClock
	LogTime func() int64
	// Elected wakes the loop when leadership may have changed, so that the marker is not late by a Tick; raft's LeaderCh
	// does. May be nil.
	Elected <-chan bool
	// Self is this member with its addresses as configured. Announced tells what the roster has for an id.
	Self      roster.Member
	Announced func(id string) (roster.Member, bool)
	// Applied is the newest command that the state shows; Covered tells whether the newest checkpoint covers all that
	// changed.
	Applied func() (index, term uint64)
	Covered func() bool
	// NextDue is the log time at which something of the state is due, Unix nanoseconds; false: nothing is. May be nil.
	NextDue func() (at int64, ok bool)
	Logger  hclog.Logger
	// Tick is how often the loop looks. Default 100 ms.
	Tick time.Duration
	// Quiet is how long nothing must have been applied before a checkpoint is proposed. Default 1 s.
	Quiet time.Duration
	// ClockPeriod is how often the clock is adjusted within a term. Default 1 s.
	ClockPeriod time.Duration
	// Timeout bounds each command. Default 5 s.
	Timeout time.Duration
}

// TermLoop does what a leader owes in its term: set the clock that it stamps with, commit one marker, see to it that the roster has its addresses,
// have what is due expire where nothing is written, and record a checkpoint when the state has changed and come to rest. Run is its only goroutine.
type TermLoop struct {
	cfg TermLoopConfig

	mu     sync.Mutex
	marked uint64
	// changed is closed and replaced when marked rises.
	changed chan struct{}

	// Only Run's goroutine touches these: the last index seen and since when.
	seen  uint64
	since time.Time
	// clockSet is when the clock was last set or adjusted.
	clockSet time.Time
}

// NewTermLoop returns a TermLoop that does nothing before Run.
func NewTermLoop(cfg TermLoopConfig) *TermLoop {
	defaultTo(&cfg.Tick, 100*time.Millisecond)
	defaultTo(&cfg.Quiet, time.Second)
	defaultTo(&cfg.ClockPeriod, time.Second)
	defaultTo(&cfg.Timeout, 5*time.Second)
	return &TermLoop{cfg: cfg, changed: make(chan struct{})}
}

// Run does the duties until ctx ends.
func (l *TermLoop) Run(ctx context.Context) {
	ticker := time.NewTicker(l.cfg.Tick)
	defer ticker.Stop()
	for {
		l.step(ctx, time.Now())
		select {
		case <-l.cfg.Elected:
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Marked waits until this member has committed its marker of term, or ctx ends.
func (l *TermLoop) Marked(ctx context.Context, term uint64) error {
	for {
		l.mu.Lock()
		marked, changed := l.marked, l.changed
		l.mu.Unlock()
		if marked >= term {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// step does what is due now. What fails is tried again at the next step, while this member still leads.
func (l *TermLoop) step(ctx context.Context, now time.Time) {
	l.cfg.Clock.Observe(l.cfg.LogTime())
	term, ok := leads(l.cfg.Raft)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	if !l.setClock(ctx, term, now) || !l.mark(ctx, term) || !l.announce(ctx) {
		return
	}
	l.expire(ctx)
	l.checkpoint(ctx, now)
}

// ticksPerStep bounds the ticks of one step; each of them expires a bounded number.
const ticksPerStep = 16

// expire proposes ticks while something is due. What is written does the same: then there is nothing left to do here.
func (l *TermLoop) expire(ctx context.Context) {
	if l.cfg.NextDue == nil {
		return
	}
	for range ticksPerStep {
		at, ok := l.cfg.NextDue()
		if !ok || at > l.cfg.Clock.Now().UnixNano() {
			return
		}
		if err := l.cfg.Duties.Tick(ctx); err != nil {
			l.cfg.Logger.Warn("what is due does not expire", "error", err)
			return
		}
	}
}

// setClock sets the clock once for the term and adjusts it from time to time. Failing to adjust it stops nothing.
func (l *TermLoop) setClock(ctx context.Context, term uint64, now time.Time) bool {
	ready := l.cfg.Clock.Ready(term)
	if ready && now.Sub(l.clockSet) < l.cfg.ClockPeriod {
		return true
	}
	l.clockSet = now
	if err := l.cfg.Clock.Set(ctx, term); err != nil {
		l.cfg.Logger.Warn("the cluster's time is not known", "term", term, "error", err)
		return ready
	}
	return true
}

// mark commits the marker of term, once.
func (l *TermLoop) mark(ctx context.Context, term uint64) bool {
	l.mu.Lock()
	done := l.marked >= term
	l.mu.Unlock()
	if done {
		return true
	}
	if err := l.cfg.Duties.Marker(ctx, term); err != nil {
		l.cfg.Logger.Warn("the marker of the term is not committed", "term", term, "error", err)
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marked = term
	close(l.changed)
	l.changed = make(chan struct{})
	return true
}

// announce records this member's addresses where the roster has others or none.
func (l *TermLoop) announce(ctx context.Context) bool {
	have, ok := l.cfg.Announced(l.cfg.Self.ID)
	if ok && have == l.cfg.Self {
		return true
	}
	if err := l.cfg.Duties.Announce(ctx, l.cfg.Self); err != nil {
		l.cfg.Logger.Warn("the addresses of this member are not announced", "member", l.cfg.Self.ID, "error", err)
		return false
	}
	return true
}

// checkpoint records one where something changed since the last and nothing was applied for a while.
func (l *TermLoop) checkpoint(ctx context.Context, now time.Time) {
	applied, _ := l.cfg.Applied()
	if applied != l.seen {
		l.seen, l.since = applied, now
		return
	}
	if l.cfg.Covered() || now.Sub(l.since) < l.cfg.Quiet {
		return
	}
	if err := l.cfg.Duties.Checkpoint(ctx); err != nil {
		l.cfg.Logger.Warn("no checkpoint was recorded", "applied", applied, "error", err)
	}
}
