package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/internal/guard"
	"github.com/ballastdb/ballast/internal/planted"
)

// AppliedState is what the read index asks of the state machine.
type AppliedState interface {
	// Applied is the index and term of the newest command that the state shows.
	Applied() (index, term uint64)
	// WaitApplied waits until the state shows index.
	WaitApplied(ctx context.Context, index uint64) error
	// MarkerTerm is the highest term whose marker command the state shows.
	MarkerTerm() uint64
}

// ReadIndexConfig is what a ReadIndex needs. Zero limits mean the defaults.
type ReadIndexConfig struct {
	Raft      Raft
	LocalID   raft.ServerID
	Logs      Logs
	State     AppliedState
	Confirmer Confirmer
	Logger    hclog.Logger
	// Marked waits until this term's marker is committed, or ctx ends; nil where nothing can be waited for. It only saves
	// callers a retry: MarkerTerm decides.
	Marked func(ctx context.Context, term uint64) error
	// RoundTimeout bounds one round. Default 1 s.
	RoundTimeout time.Duration
	// MaxWaiting bounds the reads that wait for a round. Default 65,536.
	MaxWaiting int
}

// ReadIndex finds the log index that a linearizable read has to see. Reads that wait together share one round, in which
// a majority of the voters confirm that this member still leads. All answers of a round are to questions asked after
// every read of that round had arrived.
type ReadIndex struct {
	cfg    ReadIndexConfig
	ctx    context.Context
	cancel context.CancelFunc
	kick   chan struct{}
	// rounds is the goroutine that runs rounds; calls are the confirmations of rounds, which may outlive theirs.
	rounds, calls sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	waiting []chan verdict
}

// verdict is what came of a round.
type verdict struct {
	index uint64
	err   error
}

// NewReadIndex starts a ReadIndex; Close ends it.
func NewReadIndex(cfg ReadIndexConfig) *ReadIndex {
	defaultTo(&cfg.RoundTimeout, time.Second)
	defaultTo(&cfg.MaxWaiting, 1<<16)
	r := &ReadIndex{cfg: cfg, kick: make(chan struct{}, 1)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.rounds.Go(r.run)
	return r
}

// Close fails the reads that wait and ends the goroutines.
func (r *ReadIndex) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.rounds.Wait()
	r.calls.Wait()
	settle(r.take(), verdict{err: stopping()})
}

// Wait returns an index that covers every change acknowledged before the call, once the state shows it. Read after it,
// and what is read is linearizable. Errors are *Failure.
func (r *ReadIndex) Wait(ctx context.Context) (uint64, error) {
	if planted.In(planted.StaleAsLinearizable) {
		applied, _ := r.cfg.State.Applied()
		return applied, nil
	}
	own := make(chan verdict, 1)
	if failure := r.join(own); failure != nil {
		return 0, failure
	}
	select {
	case v := <-own:
		if v.err != nil {
			return 0, v.err
		}
		return v.index, r.applied(ctx, v.index)
	case <-ctx.Done():
		return 0, readFailure(ctx.Err())
	}
}

// applied waits until the state shows index.
func (r *ReadIndex) applied(ctx context.Context, index uint64) error {
	if !guard.On("AppliedIndex") && r.cfg.Raft.AppliedIndex() >= index {
		return nil // what the library calls applied is only queued for the state machine
	}
	if err := r.cfg.State.WaitApplied(ctx, index); err != nil {
		return readFailure(err)
	}
	return nil
}

// join adds a read to the next round.
func (r *ReadIndex) join(own chan verdict) *Failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return stopping()
	}
	if len(r.waiting) >= r.cfg.MaxWaiting {
		f := notDone(codes.ResourceExhausted, "too many reads wait: wait, then retry")
		f.RetryAfter = retrySoon
		return f
	}
	r.waiting = append(r.waiting, own)
	select {
	case r.kick <- struct{}{}:
	default:
	}
	return nil
}

// take ends the admission to the next round and returns its reads.
func (r *ReadIndex) take() []chan verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.waiting
	r.waiting = nil
	return taken
}

func (r *ReadIndex) run() {
	for {
		select {
		case <-r.kick:
		case <-r.ctx.Done():
			return
		}
		// The reads are taken before anybody is asked anything: later ones wait for the next round.
		reads := r.take()
		if len(reads) == 0 {
			continue
		}
		index, err := r.round()
		settle(reads, verdict{index: index, err: err})
	}
}

func settle(reads []chan verdict, v verdict) {
	for _, own := range reads {
		own <- v
	}
}

// round runs one read-index round.
func (r *ReadIndex) round() (uint64, error) {
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.RoundTimeout)
	defer cancel()
	term, ok := leads(r.cfg.Raft)
	if !ok {
		return 0, notLeader(nil)
	}
	if err := r.marked(ctx, term); err != nil {
		return 0, err
	}
	commit := r.cfg.Raft.CommitIndex()
	if err := r.confirm(ctx, term); err != nil {
		return 0, err
	}
	if now, ok := leads(r.cfg.Raft); !ok || now != term {
		return 0, notLeader(nil)
	}
	return r.visible(commit)
}

// marked waits until the marker of term is applied: until then the commit index may lack what earlier leaders committed.
func (r *ReadIndex) marked(ctx context.Context, term uint64) error {
	for r.cfg.State.MarkerTerm() < term {
		if now, ok := leads(r.cfg.Raft); !ok || now != term {
			return notLeader(nil)
		}
		if r.cfg.Marked == nil || ctx.Err() != nil {
			f := notDone(codes.Unavailable, "this member was elected a moment ago and is not ready yet: try again")
			f.RetryAfter = retrySoon
			return f
		}
		r.awaitMark(ctx, term)
	}
	return nil
}

// awaitMark waits for the marker of term, but not for long: leadership may be lost meanwhile.
func (r *ReadIndex) awaitMark(ctx context.Context, term uint64) {
	ctx, cancel := context.WithTimeout(ctx, markPoll)
	defer cancel()
	_ = r.cfg.Marked(ctx, term) // MarkerTerm decides
}

// markPoll is how often a round that waits for the marker looks whether this member still leads.
const markPoll = 50 * time.Millisecond

// visible returns the newest index at or below commit that the state machine will ever show. Entries of the library's
// own never reach it, so waiting for one of theirs would never end; they are rare, so the walk is short.
func (r *ReadIndex) visible(commit uint64) (uint64, error) {
	applied, _ := r.cfg.State.Applied()
	var entry raft.Log
	for index := commit; index > applied; index-- {
		if err := r.cfg.Logs.GetLog(index, &entry); err != nil {
			// The log may be cut up to what is applied, and only so far: look again before giving up.
			if now, _ := r.cfg.State.Applied(); now >= index {
				return index, nil
			}
			f := notDone(codes.Internal, "the log lacks a committed entry: read from another member")
			f.Cause = err
			return 0, f
		}
		if entry.Type == raft.LogCommand {
			return index, nil
		}
	}
	return min(applied, commit), nil
}

// readFailure says why a read's wait ended. Reads propose nothing.
func readFailure(err error) *Failure {
	code := codes.DeadlineExceeded
	switch {
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	case !errors.Is(err, context.DeadlineExceeded):
		code = codes.Unavailable
	}
	f := notDone(code, "the state could not be confirmed in time: retry, or ask for a stale read")
	f.Cause = err
	return f
}
