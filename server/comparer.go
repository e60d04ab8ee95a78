package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/internal/guard"
)

// guardDigest is the guard of a row of docs/testing.md.
const guardDigest guard.Name = "digest-majority"

// CheckpointReader asks another member for its newest checkpoints, newest first, as its own state has them.
type CheckpointReader interface {
	Checkpoints(ctx context.Context, id raft.ServerID, address raft.ServerAddress) ([]fsm.Checkpoint, error)
}

// ComparerConfig is what a Comparer needs. Zero times mean the defaults.
type ComparerConfig struct {
	Raft    Raft
	LocalID raft.ServerID
	// Own are the checkpoints of this member's state, newest first.
	Own     func() []fsm.Checkpoint
	Members CheckpointReader
	// Gate is where writes stop while no majority has one digest.
	Gate *Gate
	// Condemn is called, once, when this member's state is wrong: it must see to it that nothing of it is served. Agreed is
	// called when it was found right at a checkpoint that it was not compared at before; may be nil.
	Condemn func(Verdict)
	Agreed  func(index uint64)
	Logger  hclog.Logger
	// Period is how often a new checkpoint is looked for, and how often members are asked again. Default 1 s.
	Period time.Duration
	// Timeout bounds the questions of one round. Default 1 s.
	Timeout time.Duration
}

// Comparer compares this member's state with the others' at each checkpoint. Every member judges itself, the leader as
// any other; nobody is told what to do. Run is its only goroutine besides the questions of a round, which it waits for.
//
//	a new checkpoint ─► ask all members ─► judge ─┬ Agreed      writes may go on; nothing more until the next one
//	        ▲                                     ├ Outvoted    Condemn, and the end
//	        │            Period                   ├ NoMajority  writes stop
//	        └─────────────────────────────────────┴ Undecided   nothing changes
type Comparer struct {
	cfg ComparerConfig

	// Only Run's goroutine touches these: the newest checkpoint that is agreed, and what was logged last.
	settled uint64
	said    string

	mu   sync.Mutex
	last Verdict
}

// NewComparer returns a Comparer that does nothing before Run.
func NewComparer(cfg ComparerConfig) *Comparer {
	defaultTo(&cfg.Period, time.Second)
	defaultTo(&cfg.Timeout, time.Second)
	return &Comparer{cfg: cfg}
}

// Run compares until ctx ends, or this member is condemned.
func (c *Comparer) Run(ctx context.Context) {
	ticker := time.NewTicker(c.cfg.Period)
	defer ticker.Stop()
	for {
		if v := c.look(ctx); v.Judgement == Outvoted {
			c.cfg.Condemn(v)
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Last is the newest verdict; Undecided before the first.
func (c *Comparer) Last() Verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Notes say what an operator must know of it, each a clause.
func (c *Comparer) Notes() (notes []string) {
	c.mu.Lock()
	v := c.last
	c.mu.Unlock()
	switch {
	case v.Judgement == NoMajority:
		notes = append(notes, disputeMessage(v))
	case v.Judgement == Agreed && len(v.Differ) > 0:
		notes = append(notes, dissentMessage(v))
	}
	return notes
}

// LastAgreed is the newest checkpoint at which this member's state is known to have been right; 0: none is known.
func (c *Comparer) LastAgreed() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last.LastAgreed
}

// look compares once, where there is something new to compare.
func (c *Comparer) look(ctx context.Context) Verdict {
	own := c.cfg.Own()
	if len(own) == 0 || own[0].Index == c.settled || !guard.On(guardDigest) {
		return Verdict{}
	}
	configuration, _, err := latest(c.cfg.Raft)
	if err != nil {
		return Verdict{}
	}
	told := c.ask(ctx, configuration)
	told[c.cfg.LocalID] = own
	v := judge(c.cfg.LocalID, voterIDs(configuration), told)
	c.note(v)
	if v.Judgement == Agreed && v.Index == own[0].Index && len(v.Differ) == 0 {
		c.settled = v.Index
	}
	return v
}

// note acts on a verdict, but for condemning.
func (c *Comparer) note(v Verdict) {
	switch v.Judgement {
	case Undecided:
		return
	case NoMajority:
		c.cfg.Gate.StopWrites(disputeMessage(v))
		c.say(c.cfg.Logger.Error, "digests differ and no majority has one: writes stop", v)
	case Agreed:
		c.cfg.Gate.AllowWrites()
		if len(v.Differ) > 0 {
			c.say(c.cfg.Logger.Warn, "the state of other members differs from that of the majority: they stop by themselves", v)
		}
		if c.cfg.Agreed != nil {
			c.cfg.Agreed(v.LastAgreed)
		}
	case Outvoted:
		c.say(c.cfg.Logger.Error, "the state of this member differs from that of the majority: it stops", v)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = v
}

// say logs each thing once.
func (c *Comparer) say(log func(string, ...any), message string, v Verdict) {
	key := fmt.Sprint(v.Judgement, v.Differ)
	if key == c.said {
		return
	}
	c.said = key
	log(message, "checkpoint", v.Index, "digest", v.Own.String(), "majority", v.Majority.String(), "differ", names(v.Differ), "agreed_until", v.LastAgreed)
}

// ask asks all other members at once, those too that do not vote: they are named where they differ.
func (c *Comparer) ask(ctx context.Context, configuration raft.Configuration) reports {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var asking sync.WaitGroup
	var mu sync.Mutex
	told := reports{}
	for _, s := range configuration.Servers {
		if s.ID == c.cfg.LocalID {
			continue
		}
		asking.Go(func() {
			list, err := c.cfg.Members.Checkpoints(ctx, s.ID, s.Address)
			if err != nil {
				c.cfg.Logger.Debug("a member did not tell its checkpoints", "member", s.ID, "error", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			told[s.ID] = list
		})
	}
	asking.Wait()
	return told
}

func voterIDs(configuration raft.Configuration) (voters []raft.ServerID) {
	for _, s := range configuration.Servers {
		if s.Suffrage == raft.Voter {
			voters = append(voters, s.ID)
		}
	}
	return voters
}

func disputeMessage(v Verdict) string {
	return fmt.Sprintf("writes are stopped: %s; nothing is lost, do not wipe data: start the members that do not answer, and where all do, "+
		"find out which one is right (ballast status, reconcile) and remove the others", v)
}

func dissentMessage(v Verdict) string {
	return fmt.Sprintf("the state of %s differs from that of the majority since checkpoint %d or before: stopped by itself, it repairs itself when it is started again",
		names(v.Differ), v.Index)
}
