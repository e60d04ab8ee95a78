package server

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/history"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/fsm/roster"
	"github.com/ballastdb/ballast/fsm/upkeep"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	"github.com/ballastdb/ballast/server/audit"
)

// OperatorStore is what the operator service reads; *fsm.FSM is one.
type OperatorStore interface {
	Store
	Roster
	ClusterVersion() uint32
	// Members are all of the roster.
	Members() []roster.Member
	// Upkeep are the settings of upkeep in force.
	Upkeep() upkeep.Settings
	// SettingChanges are the newest changes of settings, newest first.
	SettingChanges() []history.Change
	// Checkpoints are the newest, newest first.
	Checkpoints() []fsm.Checkpoint
}

var _ OperatorStore = (*fsm.FSM)(nil)

// Commands are the replicated changes that operators ask for; *Proposer makes them.
type Commands interface {
	Announce(ctx context.Context, member roster.Member) error
	Forget(ctx context.Context, id raft.ServerID) error
	Settings(ctx context.Context, by string, settings []proposal.Setting) error
	RaiseVersion(ctx context.Context, wanted uint32) error
}

// OperatorConfig is what the operator service needs. Zero times mean the defaults.
type OperatorConfig struct {
	Raft      Raft
	Store     OperatorStore
	Reads     *ReadIndex
	Commands  Commands
	Transfers *Transfers
	Snapshots Snapshots
	Backups   Backups
	Inspector Inspector
	Peers     Peers
	Gate      *Gate
	Logger    hclog.Logger
	// Self is this member: its raft server id, and its addresses as configured.
	Self roster.Member
	// ClusterID is the cluster's UUID in its usual text.
	ClusterID string
	// Epoch counts recoveries from a lost majority.
	Epoch uint64
	// Boots is how often a member's data directory was opened, as it told this one; nil: nobody tells.
	Boots func(id raft.ServerID) uint64
	// ConfigurationIndex is the log index of the newest configuration that this member has applied, which a change must build on; 0:
	// not known. Raft itself does not tell (GetConfiguration's index is always 0). nil: what raft says.
	ConfigurationIndex func() uint64
	// Marked waits until this member has committed its marker of a term.
	Marked func(ctx context.Context, term uint64) error
	// Version is the program's; PID its process id.
	Version string
	PID     int
	// Steady says why a non-voter has not kept up for long enough to be a voter, or nil; *Promotion does. nil: nobody says.
	Steady func(id raft.ServerID) error
	// Notes are more to say in the status' sentence, each a clause; nil: nothing.
	Notes func() []string
	// Facts are what this member knows of itself, its standing too; nil: the status shows raft and the state alone.
	Facts func() Facts
	// Drift are keys that are configured otherwise than at the last good run.
	Drift []string
	// Clock is the time that this member stamps with where it leads; nil: nobody tells.
	Clock *ClusterClock
	// Audit are the newest actions of operators here, newest first; nil: nobody keeps them.
	Audit func(limit int) ([]audit.Entry, error)
	// Examine has this member look at itself, and from itself at the others; its error is the context's. nil: it cannot.
	Examine func(ctx context.Context) (*ballastv1.ExamineResponse, error)
	// Debug are the parts that CollectDebug sends, the profile of the heap among them where asked. nil: there are none.
	Debug func(heap bool) []DebugPart
	// Timeout bounds each change where the caller's deadline does not. Default 10 s.
	Timeout time.Duration
}

// Operator is the operator service.
type Operator struct {
	ballastv1.UnimplementedOperatorServiceServer
	cfg    OperatorConfig
	leader func() *ballastv1.LeaderHint
	// changing has a token while a change of the membership is under way: they come one at a time.
	changing chan struct{}
	// backing has a token while a backup is taken, inspecting while a snapshot is inspected, collecting while what is known of a fault
	// is sent.
	backing, inspecting, collecting chan struct{}
}

// NewOperator returns the operator service. It owns no goroutines beyond its calls.
func NewOperator(cfg OperatorConfig) *Operator {
	defaultTo(&cfg.Timeout, 10*time.Second)
	return &Operator{
		cfg: cfg, leader: LeaderHint(cfg.Raft, cfg.Store),
		changing: make(chan struct{}, 1), backing: make(chan struct{}, 1), inspecting: make(chan struct{}, 1), collecting: make(chan struct{}, 1),
	}
}

// localID is raft's id of this member.
func (o *Operator) localID() raft.ServerID { return raft.ServerID(o.cfg.Self.ID) }

// change begins a change of the membership on the leader: it waits for its turn, and end ends it. The configuration
// is the one that the change must build on.
func (o *Operator) change(ctx context.Context) (c change, failure *Failure) {
	if failure := o.cfg.Gate.pass(); failure != nil {
		return change{}, withLeader(failure, o.leader)
	}
	if _, ok := leads(o.cfg.Raft); !ok {
		return change{}, withLeader(notLeader(nil), o.leader)
	}
	c.ctx, c.cancel = context.WithTimeout(ctx, o.cfg.Timeout)
	select {
	case o.changing <- struct{}{}:
	case <-c.ctx.Done():
		c.cancel()
		return change{}, retryable("another change of the membership is under way: wait for it")
	}
	c.end = func() { <-o.changing; c.cancel() }
	var err error
	index := uint64(0)
	if o.cfg.ConfigurationIndex != nil {
		index = o.cfg.ConfigurationIndex() // before the configuration is read: one that comes in between then refuses the change
	}
	if c.configuration, c.index, err = latest(o.cfg.Raft); err != nil {
		c.end()
		return change{}, withLeader(notLeader(err), o.leader)
	}
	c.index = max(c.index, index)
	return c, nil
}

// change is a change of the membership under way.
type change struct {
	ctx           context.Context
	cancel        context.CancelFunc
	end           func()
	configuration raft.Configuration
	index         uint64
}

// timeout is what raft may take to begin the change.
func (c change) timeout() time.Duration {
	deadline, _ := c.ctx.Deadline()
	return max(time.Until(deadline), time.Millisecond)
}

// commit waits until raft has committed a change and returns its index.
func (o *Operator) commit(c change, future raft.IndexFuture) (uint64, *Failure) {
	err, done := await(c.ctx, future)
	switch {
	case !done:
		return 0, contextFailure(err, ballastv1.Outcome_OUTCOME_UNKNOWN)
	case err != nil && future.Index() == 0 && !errors.Is(err, raft.ErrNotLeader):
		return 0, retryable("raft did not begin the change: %v", err)
	case err != nil:
		return 0, withLeader(raftFailure(err, future), o.leader)
	}
	return future.Index(), nil
}

// TransferLeadership is ballastv1.OperatorServiceServer's.
func (o *Operator) TransferLeadership(
	ctx context.Context, r *ballastv1.TransferLeadershipRequest,
) (*ballastv1.TransferLeadershipResponse, error) {
	if _, ok := leads(o.cfg.Raft); !ok {
		return nil, withLeader(notLeader(nil), o.leader)
	}
	name, err := o.cfg.Transfers.To(ctx, r.GetName())
	if err != nil {
		return nil, err
	}
	return &ballastv1.TransferLeadershipResponse{Name: name}, nil
}
