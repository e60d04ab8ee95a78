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
	Damage        Reason = "a member's newest snapshot is damaged"
)

// Members are what the leader knows of all members' snapshots.
type Members struct {
	// Writing: of the voters that could, a majority has not done with the newest mark yet, and some are at it.
	Writing bool
	// Damaged is the highest index of a snapshot that is some member's newest and damaged there; 0: none is.
	Damaged uint64
}

// Due tells whether a mark is due. While one is being written here it is not: this member would skip it. Damage is mended by
// one mark behind it; where it is not, another one would not help.
func Due(w fsm.Weight, s upkeep.Settings, damaged uint64) Reason {
	switch {
	case w.Busy:
	case damaged > 0 && damaged >= w.Mark:
		return Damage
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
	// Members tells how far all members are with the mark of an index. Default: nothing is known.
	Members func(mark uint64) Members
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
	// Patience is how long a mark that is due waits for members that still write the one before. Default 1 min.
	Patience time.Duration
	// Now is the clock that Patience is measured with. Default time.Now.
	Now func() time.Time
}

// Cadence commits the marks of a leader when they are due. Run is its only goroutine.
type Cadence struct {
	cfg CadenceConfig
	// waits is since when a mark behind after is due and waits for members. Only Run touches them.
	waits time.Time
	after uint64
}

// NewCadence returns a Cadence that does nothing before Run.
func NewCadence(cfg CadenceConfig) *Cadence {
	if cfg.Tick == 0 {
		cfg.Tick = 100 * time.Millisecond
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Patience == 0 {
		cfg.Patience = time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Members == nil {
		cfg.Members = func(uint64) Members { return Members{} }
	}
	return &Cadence{cfg: cfg}
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
	members := c.cfg.Members(w.Mark)
	reason := Due(w, c.cfg.Settings(), members.Damaged)
	if reason == NotDue || members.Writing && c.wait(&w) {
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

// wait reports whether a mark that is due waits for members that are still writing the one before, which would skip it and
// then have fewer pages for those that catch up.
func (c *Cadence) wait(w *fsm.Weight) bool {
	now := c.cfg.Now()
	if c.after != w.Mark || c.waits.IsZero() {
		c.waits, c.after = now, w.Mark
	}
	if now.Sub(c.waits) < c.cfg.Patience {
		return true
	}
	c.cfg.Logger.Warn("the next snapshot mark does not wait any longer for members that have not done with the last; they skip it", "last", w.Mark,
		"waited", now.Sub(c.waits))
	return false
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
