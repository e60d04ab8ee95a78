package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/internal/guard"
)

// guardUnreadable is the guard of a row of docs/testing.md.
const guardUnreadable guard.Name = "#522"

// errProbeHangs: reading the newest snapshot takes so long that nobody should wait for it.
var errProbeHangs = errors.New("reading it does not end")

// CustodianConfig is what a Custodian needs. Zero times mean the defaults.
type CustodianConfig struct {
	Raft Raft
	// Probe opens the newest snapshot and reads some of it; nil where there is none. It may hang.
	Probe func(ctx context.Context) error
	// HandOver hands leadership to any other member.
	HandOver func(ctx context.Context) error
	Logger   hclog.Logger
	// Period between two probes. Default 5 s.
	Period time.Duration
	// Limit is how long a probe may take, and a hand-over. Default 10 s.
	Limit time.Duration
}

// Custodian sees to it that who leads can give a snapshot to a member that needs one. The raft library has a leader that
// cannot read its snapshot go on leading, and that member wait for ever (hashicorp/raft #522). Run is its only goroutine
// besides the probe.
type Custodian struct {
	cfg CustodianConfig

	mu  sync.Mutex
	bad error // what the last probe found

	// Only Run's goroutine touches it: what the probe under way will tell; nil: none is.
	probing chan error
}

// NewCustodian returns a Custodian that does nothing before Run.
func NewCustodian(cfg CustodianConfig) *Custodian {
	defaultTo(&cfg.Period, 5*time.Second)
	defaultTo(&cfg.Limit, 10*time.Second)
	return &Custodian{cfg: cfg}
}

// Run probes, while this member leads, until ctx ends. A probe that hangs is not waited for longer than Limit: it ends with
// the disk, or the process.
func (c *Custodian) Run(ctx context.Context) {
	ticker := time.NewTicker(c.cfg.Period)
	defer ticker.Stop()
	for {
		c.step(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			_ = c.await(context.WithoutCancel(ctx)) // what it finds is of no use any more
			return
		}
	}
}

// Notes say what is wrong, each a clause.
func (c *Custodian) Notes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bad == nil {
		return nil
	}
	return []string{fmt.Sprintf("its newest snapshot cannot be read, and it does not stay leader: %v", c.bad)}
}

// step probes once where this member leads, and hands over where it should not.
func (c *Custodian) step(ctx context.Context) {
	if _, ok := leads(c.cfg.Raft); !ok || !guard.On(guardUnreadable) {
		c.note(nil)
		return
	}
	err := c.probe(ctx)
	if ctx.Err() != nil {
		return
	}
	c.note(err)
	if err == nil {
		return
	}
	c.cfg.Logger.Error("the newest snapshot cannot be read; leadership is handed over", "error", err)
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Limit)
	defer cancel()
	if err := c.cfg.HandOver(ctx); err != nil {
		c.cfg.Logger.Warn("leadership is not handed over; it is tried again", "error", err)
	}
}

// probe is what a probe finds. One that was begun before, and still hangs, goes on: there is never more than one.
func (c *Custodian) probe(ctx context.Context) error {
	if c.probing == nil {
		done := make(chan error, 1)
		go func() { done <- c.cfg.Probe(ctx) }()
		c.probing = done
	}
	return c.await(ctx)
}

// await waits for the probe that is under way, if any.
func (c *Custodian) await(ctx context.Context) error {
	if c.probing == nil {
		return nil
	}
	limit := time.NewTimer(c.cfg.Limit)
	defer limit.Stop()
	select {
	case err := <-c.probing:
		c.probing = nil
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
		return errProbeHangs
	}
}

func (c *Custodian) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bad = err
}
