package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// PromotionConfig is what a Promotion needs. Zero times mean the defaults.
type PromotionConfig struct {
	Raft   Raft
	Roster Roster
	Peers  Peers
	// Promote makes the non-voter of that name a voter; Operator.PromoteMember does.
	Promote func(ctx context.Context, name string) error
	Logger  hclog.Logger
	// Every is the time between two looks. Default 500 ms.
	Every time.Duration
	// Stable is how long a member must have kept up, at every look, to be promoted. Default 5 s: ten election timeouts, and
	// five times as long as the service manager takes to start a member again, so that one which ends over and over, or
	// keeps up only while nothing happens to be written, does not become a voter whose silence counts.
	Stable time.Duration
}

// Promotion promotes, on the leader, non-voters that have kept up for a while, unless they were added to stay what they
// are. Run is its only goroutine beside those that it waits for. A new leader watches anew: nothing of this is kept.
type Promotion struct {
	cfg PromotionConfig

	mu sync.Mutex
	// since is when each non-voter began to keep up, term in which term that was watched.
	since map[raft.ServerID]time.Time
	term  uint64
}

// NewPromotion returns a Promotion that does nothing before Run.
func NewPromotion(cfg PromotionConfig) *Promotion {
	defaultTo(&cfg.Every, 500*time.Millisecond)
	defaultTo(&cfg.Stable, 5*time.Second)
	return &Promotion{cfg: cfg, since: map[raft.ServerID]time.Time{}}
}

// Run watches until ctx ends.
func (p *Promotion) Run(ctx context.Context) {
	ticker := time.NewTicker(p.cfg.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.look(ctx, time.Now())
		case <-ctx.Done():
			return
		}
	}
}

// Steady says why a non-voter has not kept up for long enough, or nil.
func (p *Promotion) Steady(id raft.ServerID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	since, keepsUp := p.since[id]
	switch kept := time.Since(since); {
	case !keepsUp:
		return fmt.Errorf("%s was not caught up when this leader looked last", memberName(id))
	case kept < p.cfg.Stable:
		return fmt.Errorf("%s has kept up for %s of %s", memberName(id), kept.Round(100*time.Millisecond), p.cfg.Stable)
	}
	return nil
}

// look asks every non-voter how far it is, and promotes those that have kept up.
func (p *Promotion) look(ctx context.Context, now time.Time) {
	term, ok := leads(p.cfg.Raft)
	if !ok {
		p.forget(0)
		return
	}
	p.forget(term)
	configuration, _, err := latest(p.cfg.Raft)
	if err != nil {
		return
	}
	var all sync.WaitGroup
	for _, s := range configuration.Servers {
		if s.Suffrage != raft.Voter {
			all.Go(func() { p.note(s.ID, now, caughtUp(ctx, p.cfg.Raft, p.cfg.Peers, knownMember(p.cfg.Roster, s))) })
		}
	}
	all.Wait()
	p.forgetOthers(configuration)
	for _, s := range configuration.Servers {
		// One that the roster does not know is being added: what is wished of it is not known either.
		if known, ok := p.cfg.Roster.Member(string(s.ID)); ok && !known.StayNonVoter && s.Suffrage != raft.Voter && p.Steady(s.ID) == nil {
			p.promote(ctx, s.ID)
		}
	}
}

// promote promotes a member; where that fails it is watched anew.
func (p *Promotion) promote(ctx context.Context, id raft.ServerID) {
	if err := p.cfg.Promote(ctx, memberName(id)); err != nil {
		p.cfg.Logger.Warn("a member that keeps up was not promoted", "member", id, "error", err)
		p.note(id, time.Now(), err)
		return
	}
	p.cfg.Logger.Info("a member kept up and was promoted", "member", id, "kept_up_for", p.cfg.Stable)
}

// note notes whether a member keeps up.
func (p *Promotion) note(id raft.ServerID, now time.Time, behind error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if behind != nil {
		delete(p.since, id)
	} else if _, kept := p.since[id]; !kept {
		p.since[id] = now
	}
}

// forget forgets everything that was seen in another term.
func (p *Promotion) forget(term uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.term != term {
		p.term = term
		clear(p.since)
	}
}

// forgetOthers forgets those that are no non-voters any more.
func (p *Promotion) forgetOthers(configuration raft.Configuration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.since {
		watched := false
		for _, s := range configuration.Servers {
			watched = watched || s.ID == id && s.Suffrage != raft.Voter
		}
		if !watched {
			delete(p.since, id)
		}
	}
}
