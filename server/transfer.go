package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/internal/guard"
	"github.com/ballastdb/ballast/internal/wait"
)

// Holder keeps new proposals from raft; *Coalescer does.
type Holder interface {
	Hold() (release func())
	Idle(ctx context.Context) error
}

// TransfersConfig is what Transfers needs. Zero times mean the defaults.
type TransfersConfig struct {
	Raft    Raft
	LocalID raft.ServerID
	Roster  Roster
	Peers   Peers
	Holder  Holder
	Logger  hclog.Logger
	// Timeout bounds a transfer. Default 5 s.
	Timeout time.Duration
	// Rest is how long after a failed transfer none is begun: raft may still be busy with it. Default 2 s.
	Rest time.Duration
}

// Transfers hands leadership over: one transfer at a time, and only to a voter that has the whole log while nothing new
// is proposed. A second transfer to a peer that is busy leaves raft v1.7.3's leader refusing all writes (#696).
type Transfers struct {
	cfg  TransfersConfig
	busy sync.Mutex

	// Guarded by busy.
	failedAt time.Time
}

// NewTransfers returns a Transfers.
func NewTransfers(cfg TransfersConfig) *Transfers {
	defaultTo(&cfg.Timeout, 5*time.Second)
	defaultTo(&cfg.Rest, 2*time.Second)
	return &Transfers{cfg: cfg}
}

// To hands leadership to the voter of that name, or, where name is empty, to the one that is furthest, and returns its
// name once this member no longer leads. Errors are *Failure.
func (t *Transfers) To(ctx context.Context, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Timeout)
	defer cancel()
	if _, ok := leads(t.cfg.Raft); !ok {
		return "", notLeader(nil)
	}
	if !t.busy.TryLock() {
		return "", retryable("another transfer of leadership is under way: wait for it")
	}
	defer t.busy.Unlock()
	if time.Since(t.failedAt) < t.cfg.Rest {
		return "", retryable("a transfer of leadership failed a moment ago: wait, then try again")
	}
	target, failure := t.pick(ctx, name)
	if failure != nil {
		return "", failure
	}
	if guard.On("#696") {
		release, failure := t.prepare(ctx, target)
		if failure != nil {
			return "", failure
		}
		defer release()
	}
	if err := t.hand(ctx, target); err != nil {
		t.failedAt = time.Now()
		return "", retryable("leadership was not handed over to %s: %v", memberName(target.ID), err)
	}
	t.cfg.Logger.Info("leadership was handed over", "to", memberName(target.ID))
	return memberName(target.ID), nil
}

// pick finds the voter to hand over to.
func (t *Transfers) pick(ctx context.Context, name string) (raft.Server, *Failure) {
	configuration, _, err := latest(t.cfg.Raft)
	if err != nil {
		return raft.Server{}, notLeader(err)
	}
	if name != "" {
		target, ok := named(configuration, name)
		switch {
		case !ok:
			return target, notFound("name: there is no member %q", clip(name))
		case target.Suffrage != raft.Voter:
			return target, precondition("%s does not vote: promote it first", name)
		case target.ID == t.cfg.LocalID:
			return target, precondition("%s leads already", name)
		}
		return target, nil
	}
	return t.furthest(ctx, configuration)
}

// furthest finds the other voter with the longest log, of those whose disk has room where there is one.
func (t *Transfers) furthest(ctx context.Context, configuration raft.Configuration) (raft.Server, *Failure) {
	var best raft.Server
	var chosen Progress
	reason := "there is none"
	for _, a := range askVoters(ctx, t.cfg.Peers, t.cfg.Roster, configuration, t.cfg.LocalID) {
		switch {
		case a.err != nil:
			reason = a.err.Error()
		case best.ID == "" || a.progress.better(chosen):
			best, chosen = a.server, a.progress
		}
	}
	if best.ID == "" {
		return best, precondition("no other voter can lead: %s", reason)
	}
	return best, nil
}

// better tells whether a voter with this progress makes a better leader than one with that.
func (p Progress) better(than Progress) bool {
	if p.LowDisk != than.LowDisk {
		return than.LowDisk
	}
	return p.LastIndex > than.LastIndex
}

// prepare makes sure that raft will find nothing left to do but to tell the target: it is caught up, nothing more is
// proposed until release, and what was is in its log.
func (t *Transfers) prepare(ctx context.Context, target raft.Server) (release func(), failure *Failure) {
	if err := caughtUp(ctx, t.cfg.Raft, t.cfg.Peers, knownMember(t.cfg.Roster, target)); err != nil {
		return nil, precondition("not caught up: %v", err)
	}
	release = t.cfg.Holder.Hold()
	if err := t.quiet(ctx, target); err != nil {
		release()
		return nil, retryable("leadership was not handed over: %v", err)
	}
	return release, nil
}

// quiet waits until nothing is in flight and the target has the whole log.
func (t *Transfers) quiet(ctx context.Context, target raft.Server) error {
	if err := t.cfg.Holder.Idle(ctx); err != nil {
		return fmt.Errorf("proposals in flight do not end: %w", err)
	}
	member := knownMember(t.cfg.Roster, target)
	for {
		last := t.cfg.Raft.LastIndex()
		p, err := t.cfg.Peers.Progress(ctx, member)
		if err != nil {
			return fmt.Errorf("%s does not tell how far it is: %w", memberName(target.ID), err)
		}
		if p.LastIndex >= last && t.cfg.Raft.LastIndex() == last {
			return nil
		}
		if err := wait.For(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("%s has the log up to entry %d of %d: %w", memberName(target.ID), p.LastIndex, last, err)
		}
	}
}

// hand asks raft for the transfer and waits until this member no longer leads.
func (t *Transfers) hand(ctx context.Context, target raft.Server) error {
	err, done := await(ctx, t.cfg.Raft.LeadershipTransferToServer(target.ID, target.Address))
	if err != nil {
		return err
	}
	for done {
		if _, id := t.cfg.Raft.LeaderWithID(); id != t.cfg.LocalID && id != "" {
			return nil
		}
		if err := wait.For(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("no new leader was elected: %w", err)
		}
	}
	return nil
}

// precondition says that the cluster is not in a state for what was asked.
func precondition(format string, args ...any) *Failure {
	f := invalid(format, args...)
	f.Code = codes.FailedPrecondition
	return f
}

// retryable says that what was asked did not happen and may be asked again.
func retryable(format string, args ...any) *Failure {
	f := invalid(format, args...)
	f.Code, f.RetryAfter = codes.Unavailable, retrySoon
	return f
}
