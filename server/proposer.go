package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/fsm/roster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// ProposerConfig is what a Proposer needs.
type ProposerConfig struct {
	Raft    Applier
	Stamper *Stamper
	// ClusterVersion is the replicated cluster version, which proposals carry.
	ClusterVersion func() uint32
	// Open returns the error in the response of a raft future.
	Open func(response any) (Applied, error)
	// EnqueueTimeout bounds the wait for raft to take a command. Default 1 s.
	EnqueueTimeout time.Duration
}

// Proposer proposes the commands that are not operations, one at a time, each waited for until it is applied here.
type Proposer struct {
	cfg ProposerConfig
	mu  sync.Mutex
}

// NewProposer returns a Proposer.
func NewProposer(cfg ProposerConfig) *Proposer {
	defaultTo(&cfg.EnqueueTimeout, time.Second)
	return &Proposer{cfg: cfg}
}

// Marker commits the first command of a leader's term.
func (p *Proposer) Marker(ctx context.Context, term uint64) error {
	_, err := p.propose(ctx, func(now int64, version uint32) ([]byte, error) {
		return proposal.EncodeMarker(now, version, term), nil
	})
	return err
}

// Checkpoint has every member record the digest of its state.
func (p *Proposer) Checkpoint(ctx context.Context) error {
	_, err := p.propose(ctx, func(now int64, version uint32) ([]byte, error) {
		return proposal.EncodeCheckpoint(now, version), nil
	})
	return err
}

// Tick lets log time pass for the books: holds that are due expire.
func (p *Proposer) Tick(ctx context.Context) error {
	_, err := p.propose(ctx, func(now int64, version uint32) ([]byte, error) {
		return proposal.EncodeTick(now, version), nil
	})
	return err
}

// Mark has every member take a snapshot of its state at the index that is returned.
func (p *Proposer) Mark(ctx context.Context) (index uint64, err error) {
	return p.propose(ctx, func(now int64, version uint32) ([]byte, error) {
		return proposal.EncodeMark(now, version), nil
	})
}

// Settings changes replicated settings, given by rising number. by tells who does, at most proposal.MaxBy bytes.
func (p *Proposer) Settings(ctx context.Context, by string, settings []proposal.Setting) error {
	_, err := p.propose(ctx, func(now int64, version uint32) ([]byte, error) {
		return proposal.EncodeSettings(now, version, by, settings)
	})
	return err
}

// Announce records a member's addresses, and whether it stays a non-voter.
func (p *Proposer) Announce(ctx context.Context, member roster.Member) error {
	_, err := p.propose(ctx, func(now int64, version uint32) ([]byte, error) {
		return proposal.EncodeAnnounce(now, version, proposal.Member(member))
	})
	return err
}

// RaiseVersion raises the cluster version. Every member must apply the new one: those that do not, stop.
func (p *Proposer) RaiseVersion(ctx context.Context, wanted uint32) error {
	_, err := p.propose(ctx, func(now int64, version uint32) ([]byte, error) {
		return proposal.EncodeRaiseVersion(now, version, wanted), nil
	})
	return err
}

// Forget removes a member's addresses.
func (p *Proposer) Forget(ctx context.Context, id raft.ServerID) error {
	_, err := p.propose(ctx, func(now int64, version uint32) ([]byte, error) {
		return proposal.EncodeForget(now, version, string(id))
	})
	return err
}

func (p *Proposer) propose(ctx context.Context, encode func(now int64, version uint32) ([]byte, error)) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	data, err := encode(p.cfg.Stamper.Stamp(), p.cfg.ClusterVersion())
	if err != nil {
		return 0, fmt.Errorf("encoding a command: %w", err)
	}
	future := p.cfg.Raft.Apply(data, p.cfg.EnqueueTimeout)
	err, answered := await(ctx, future)
	switch {
	case !answered:
		return 0, contextFailure(err, ballastv1.Outcome_OUTCOME_UNKNOWN)
	case err != nil:
		return 0, raftFailure(err, future)
	}
	if _, err := p.cfg.Open(future.Response()); err != nil {
		return 0, proposedFailure(err)
	}
	return future.Index(), nil
}

// await waits for a raft future until ctx ends; answered tells whether err is the future's. Raft's futures cannot be
// cancelled, and those of raft.Apply are not even ended by raft's shutdown: the goroutine that waits for such a one
// stays until the process ends. There is at most one for each of the few callers, which take turns.
func await(ctx context.Context, future raft.Future) (err error, answered bool) {
	result := make(chan error, 1)
	go func() { result <- future.Error() }()
	select {
	case err := <-result:
		return err, true
	case <-ctx.Done():
		return ctx.Err(), false
	}
}
