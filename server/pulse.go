package server

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/ledger"
)

const (
	// pulseTick is the time between two questions to the loops that everything stands on.
	pulseTick = 5 * time.Second
	// pulseLimit is how long an answer may be overdue. Far above a stalled disk's 300 ms and raft's own timeouts: who is told
	// that a process is dead kills it.
	pulseLimit = 30 * time.Second
)

// PulseConfig is what a Pulse needs. Zero times mean the defaults.
type PulseConfig struct {
	Raft  interface{ VerifyLeader() raft.Future }
	State interface {
		ReadIndexed(read func(state *ledger.State, index uint64))
	}
	Logger hclog.Logger
	// Tick is the time between two questions, Limit how long an answer may be overdue. Defaults 5 s, 30 s.
	Tick, Limit time.Duration
	// Now is the clock; nil: time.Now.
	Now Clock
}

// Pulse finds out whether the process lives: whether raft's main loop answers, and whether the state can be read. Neither
// needs a leader or a majority, so a member that is cut off, idle or catching up lives. A loop that hangs does not.
type Pulse struct {
	cfg PulseConfig

	mu    sync.Mutex
	since time.Time // of the oldest question that has not been answered; zero: there is none
	what  string    // it was asked
}

// NewPulse returns a Pulse that says yes before Run.
func NewPulse(cfg PulseConfig) *Pulse {
	defaultTo(&cfg.Tick, pulseTick)
	defaultTo(&cfg.Limit, pulseLimit)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Pulse{cfg: cfg}
}

// Run asks until ctx ends. A question that is never answered keeps one goroutine until the process ends.
func (p *Pulse) Run(ctx context.Context) {
	ticker := time.NewTicker(p.cfg.Tick)
	defer ticker.Stop()
	for {
		answered := p.ask()
		for open := true; open; {
			select {
			case <-answered:
				answered = nil
			case <-ticker.C:
				open = answered != nil
			case <-ctx.Done():
				return
			}
			p.warn(answered != nil)
		}
	}
}

// ask asks both, one after the other; the channel is closed when both have answered.
func (p *Pulse) ask() <-chan struct{} {
	done := make(chan struct{})
	p.asked("raft's main loop")
	go func() {
		defer close(done)
		// Any answer will do; a follower's is that it does not lead.
		_ = p.cfg.Raft.VerifyLeader().Error()
		p.asked("the state")
		p.cfg.State.ReadIndexed(func(*ledger.State, uint64) {})
		p.asked("")
	}()
	return done
}

func (p *Pulse) asked(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.since = what, p.cfg.Now()
	if what == "" {
		p.since = time.Time{}
	}
}

func (p *Pulse) warn(waiting bool) {
	if !waiting {
		return
	}
	for _, problem := range p.Problems() {
		p.cfg.Logger.Error("this process hangs", "problem", problem)
	}
}

// Problems says what does not answer; nothing: the process lives.
func (p *Pulse) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		return nil
	}
	overdue := p.cfg.Now().Sub(p.since)
	if overdue < p.cfg.Limit {
		return nil
	}
	return []string{p.what + " has not answered for " + overdue.Round(time.Second).String() + ": the process hangs; starting it again is safe"}
}
