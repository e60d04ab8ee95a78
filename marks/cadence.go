package marks

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/upkeep"
	"github.com/ballastdb/ballast/internal/guard"
)

// guardConfiguration is the guard of an UPSTREAM row.
const guardConfiguration guard.Name = "configuration"

// writeFactor is how many times the weight of the log snapshots may write. An operation takes less in the log than its id
// takes in the state, so with less than two a snapshot of callers' operations would never be due.
const writeFactor = 2

// Reason why a mark is due.
type Reason string

// Reasons.
const (
	NotDue        Reason = ""
	Configuration Reason = "the configuration changed"
	Weight        Reason = "the log weighs what a snapshot writes"
	MaxLog        Reason = "the log reached its bound"
)

// Due tells whether a mark is due. While one is being written here it is not: this member would skip it.
func Due(w fsm.Weight, s upkeep.Settings) Reason {
	switch {
	case w.Busy:
	case w.Configuration > w.Mark && guard.On(guardConfiguration):
		return Configuration
	case w.LogBytes >= s.SnapshotMaxLogBytes:
		return MaxLog
	case w.LogBytes >= s.SnapshotMinLogBytes && w.LogBytes*writeFactor >= w.SnapshotBytes:
		return Weight
	}
	return NotDue
}

// CadenceConfig is what a Cadence needs. Zero times mean the defaults.
type CadenceConfig struct {
	// Leading tells whether this member leads, and has applied all that was committed before its term.
	Leading func() bool
	// Weight and Settings are the state machine's.
	Weight   func() fsm.Weight
	Settings func() upkeep.Settings
	// Propose commits a mark and returns its index once it is applied here.
	Propose func(context.Context) (index uint64, err error)
	// Taken waits until no mark is being written here, and answers the newest snapshot's index where that is index or later; 0: it
	// is not.
	Taken  func(ctx context.Context, index uint64) (uint64, error)
	Logger hclog.Logger
	// Tick is how often it is looked whether a mark is due. Default 100 ms.
	Tick time.Duration
	// Timeout bounds one proposal. Default 5 s.
	Timeout time.Duration
}

// Cadence commits the marks of a leader when they are due. Run is its only goroutine.
type Cadence struct{ cfg CadenceConfig }

// NewCadence returns a Cadence that does nothing before Run.
func NewCadence(cfg CadenceConfig) *Cadence {
	if cfg.Tick == 0 {
		cfg.Tick = 100 * time.Millisecond
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	return &Cadence{cfg}
}

// Run commits marks until ctx ends.
func (c *Cadence) Run(ctx context.Context) {
	ticker := time.NewTicker(c.cfg.Tick)
	defer ticker.Stop()
	for {
		c.step(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// step commits a mark where one is due. What fails is tried again at the next step, while this member still leads.
func (c *Cadence) step(ctx context.Context) {
	if !c.cfg.Leading() {
		return
	}
	w := c.cfg.Weight()
	reason := Due(w, c.cfg.Settings())
	if reason == NotDue {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	index, err := c.cfg.Propose(ctx)
	if err != nil {
		c.cfg.Logger.Warn("no snapshot mark is committed", "reason", reason, "error", err)
		return
	}
	c.cfg.Logger.Info("snapshot mark", "index", index, "reason", reason, "after", w.Mark, "log_bytes", w.LogBytes, "snapshot_bytes", w.SnapshotBytes)
}

// ErrNotTaken: the mark is committed, and this member could not take a snapshot of it.
var ErrNotTaken = errors.New("this member has no snapshot of the mark")

// maxTakes bounds the marks that Take commits: each can meet another that is being written.
const maxTakes = 3

// Take waits until this member has a snapshot at notBefore or later, and answers its index. Where none is there or being written it
// commits a mark, due or not. notBefore 0: it commits one in any case.
func (c *Cadence) Take(ctx context.Context, notBefore uint64) (index uint64, err error) {
	if notBefore > 0 {
		if index, err := c.cfg.Taken(ctx, notBefore); index > 0 || err != nil {
			return index, err
		}
	}
	for range maxTakes {
		if _, err := c.cfg.Taken(ctx, 0); err != nil { // or it would be skipped
			return 0, err
		}
		mark, err := c.cfg.Propose(ctx)
		if err != nil {
			return 0, err
		}
		if index, err := c.cfg.Taken(ctx, mark); index > 0 || err != nil {
			return index, err
		}
	}
	return 0, ErrNotTaken
}

// Mark commits a mark, due or not, and answers its index without waiting for the snapshot.
func (c *Cadence) Mark(ctx context.Context) (index uint64, err error) { return c.cfg.Propose(ctx) }
