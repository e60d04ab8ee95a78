package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/planted"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Applier hands proposals to raft.
type Applier interface {
	Apply(data []byte, timeout time.Duration) raft.ApplyFuture
}

// CoalescerConfig is what a Coalescer needs. Zero limits mean the defaults.
type CoalescerConfig struct {
	Raft    Applier
	Stamper *Stamper
	Logger  hclog.Logger
	// Seal makes one proposal, stamped now (Unix nanoseconds), of all parts in order; see SealOperations.
	Seal func(now int64, parts []Part) ([]byte, error)
	// Open takes the results out of the response of a raft future. An error means that nothing is known of the results.
	Open func(response any) (Applied, error)

	// QueueOps and QueueBytes bound what waits to be proposed. Defaults 262,144 operations, 32 MiB.
	QueueOps, QueueBytes int
	// ProposalOps and ProposalBytes bound one proposal; a single request may exceed the bytes. Defaults 8,000, 256 KiB.
	ProposalOps, ProposalBytes int
	// InFlight is how many proposals raft may have unanswered. Default 4.
	InFlight int
	// EnqueueTimeout bounds the wait for raft to take a proposal. Default 1 s.
	EnqueueTimeout time.Duration
	// Observer is told of proposals and answers; nil: nobody is.
	Observer Observer
}

func (c CoalescerConfig) withDefaults() CoalescerConfig {
	defaultTo(&c.QueueOps, 1<<18)
	defaultTo(&c.QueueBytes, 32<<20)
	defaultTo(&c.ProposalOps, ledger.MaxBatch)
	defaultTo(&c.ProposalBytes, proposal.MaxBytes-proposal.Overhead)
	defaultTo(&c.InFlight, 4)
	defaultTo(&c.EnqueueTimeout, time.Second)
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	return c
}

func defaultTo[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// Coalescer packs the requests of many callers into few proposals. See the package comment for its states and bounds.
type Coalescer struct {
	cfg    CoalescerConfig
	queue  *queue
	flight *flight
	// proposals go from the packer to the completer; there is room for all in flight, so that the packer never waits.
	proposals chan proposed
	// closing ends the packer; abandoned ends callers whose future raft never answers; done says that both goroutines
	// have ended.
	closing, abandoned, done chan struct{}
	closeOnce, abandonOnce   sync.Once
}

// proposed is a proposal that was given to raft.
type proposed struct {
	future   raft.ApplyFuture
	requests []*pending
	count    int
	at       time.Time // when raft got it
}

// NewCoalescer starts a Coalescer; Close ends it.
func NewCoalescer(cfg CoalescerConfig) *Coalescer {
	cfg = cfg.withDefaults()
	c := &Coalescer{
		cfg:       cfg,
		queue:     newQueue(cfg.QueueOps, cfg.QueueBytes),
		flight:    newFlight(cfg.InFlight),
		proposals: make(chan proposed, cfg.InFlight),
		closing:   make(chan struct{}),
		abandoned: make(chan struct{}),
		done:      make(chan struct{}),
	}
	go c.pack()
	go c.complete()
	return c
}

// Submit has count operations, encoded one after the other in encoded, applied together in one proposal, and returns
// their results. It waits until ctx ends at most; ctx must have a deadline. Errors are *Failure. The Coalescer keeps
// encoded until Submit returns and does not change it.
func (c *Coalescer) Submit(ctx context.Context, encoded []byte, count int) (Applied, error) {
	ticket, err := c.Admit(ctx, encoded, count)
	if err != nil {
		return Applied{}, err
	}
	return ticket.Wait()
}

// Admit queues a request without waiting for its answer, so that one goroutine can admit requests in order. Every
// Ticket must be waited for. Errors are *Failure.
func (c *Coalescer) Admit(ctx context.Context, encoded []byte, count int) (*Ticket, error) {
	if count < 1 || count > c.cfg.ProposalOps {
		return nil, notDone(codes.InvalidArgument, "a request must have 1 to 8,000 operations: split it")
	}
	if failure := overdue(ctx); failure != nil {
		return nil, failure
	}
	p := &pending{ctx: ctx, encoded: encoded, count: count, answer: make(chan answer, 1), admitted: time.Now()}
	if failure := c.queue.push(p); failure != nil {
		if failure.Code == codes.ResourceExhausted {
			c.cfg.Observer.Refused()
		}
		return nil, failure
	}
	return &Ticket{coalescer: c, request: p}, nil
}

// latestIssue is the latest time, Unix nanoseconds, that an operation proposed now may have been issued at by
// this member's clock.
func (c *Coalescer) latestIssue() int64 { return c.stamp() + int64(ledger.MaxIssuedAhead) }

// stamp is the time, Unix nanoseconds, that something proposed now gets.
func (c *Coalescer) stamp() int64 { return c.cfg.Stamper.Stamp() }

// Ticket stands for one admitted request.
type Ticket struct {
	coalescer *Coalescer
	request   *pending
}

// Wait returns what became of the request. It ends when the request's context ends at the latest.
func (t *Ticket) Wait() (Applied, error) {
	select {
	case a := <-t.request.answer:
		return a.get()
	case <-t.request.ctx.Done():
		return t.giveUp(t.request.ctx.Err())
	case <-t.coalescer.abandoned:
		return t.giveUp(raft.ErrRaftShutdown)
	}
}

// giveUp ends the wait for cause: NOT_DONE where the request can still be taken back.
func (t *Ticket) giveUp(cause error) (Applied, error) {
	abandoned := errors.Is(cause, raft.ErrRaftShutdown)
	if t.coalescer.queue.remove(t.request) {
		if abandoned {
			return Applied{}, stopping()
		}
		return Applied{}, contextFailure(cause, ballastv1.Outcome_OUTCOME_NOT_DONE)
	}
	select {
	case a := <-t.request.answer:
		return a.get()
	default:
	}
	if abandoned {
		return Applied{}, proposedFailure(cause)
	}
	return Applied{}, contextFailure(cause, ballastv1.Outcome_OUTCOME_UNKNOWN)
}

func (a answer) get() (Applied, error) {
	if a.failure != nil {
		return Applied{}, a.failure
	}
	return a.applied, nil
}

// pack is the packer: a turn, the requests, one proposal, again.
func (c *Coalescer) pack() {
	defer close(c.proposals)
	defer c.queue.close()
	for {
		select {
		case <-c.queue.ready:
		case <-c.closing:
			return
		}
		if !c.flight.enter(c.closing) {
			return
		}
		batch := c.queue.take(c.cfg.ProposalOps, c.cfg.ProposalBytes)
		if len(batch) == 0 {
			c.flight.leave()
			continue
		}
		c.propose(batch)
	}
}

// propose gives requests to raft as one proposal.
func (c *Coalescer) propose(batch []*pending) {
	parts := make([]Part, len(batch))
	count := 0
	for i, p := range batch {
		parts[i] = Part{Encoded: p.encoded, Count: p.count}
		count += p.count
	}
	data, err := c.cfg.Seal(c.cfg.Stamper.Stamp(), parts)
	if err != nil {
		c.cfg.Logger.Error("cannot make a proposal", "operations", count, "error", err)
		failure := notDone(codes.Internal, "the operations cannot be encoded")
		failure.Cause = err
		refuse(batch, failure)
		c.flight.leave()
		return
	}
	c.cfg.Observer.Proposed(count, len(data))
	begun := time.Now()
	future := c.cfg.Raft.Apply(data, c.cfg.EnqueueTimeout)
	if planted.In(planted.AckBeforeCommit) {
		acknowledgeUnseen(batch)
	}
	c.proposals <- proposed{future: future, requests: batch, count: count, at: begun}
}

// complete is the completer: it answers proposals in the order in which they were made, which is the order in which
// raft answers those that commit.
func (c *Coalescer) complete() {
	defer close(c.done)
	for p := range c.proposals {
		err := p.future.Error()
		now := time.Now()
		if err != nil {
			refuse(p.requests, raftFailure(err, p.future))
		} else {
			c.cfg.Observer.Committed(now.Sub(p.at))
			c.distribute(p, now)
		}
		c.flight.leave()
	}
}

// distribute hands each request of a proposal, applied by now, its own results.
func (c *Coalescer) distribute(p proposed, now time.Time) {
	applied, err := c.cfg.Open(p.future.Response())
	if err == nil && len(applied.Results) != p.count {
		err = errors.New("the state machine answered another number of operations than were proposed")
	}
	if err != nil {
		c.cfg.Logger.Error("a committed proposal has no results", "index", p.future.Index(), "operations", p.count,
			"results", len(applied.Results), "error", err)
		refuse(p.requests, proposedFailure(err))
		return
	}
	rest := applied.Results
	for _, r := range p.requests {
		c.cfg.Observer.Answered(now.Sub(r.admitted))
		r.reply(answer{applied: Applied{Results: rest[:r.count:r.count], LogTime: applied.LogTime}})
		rest = rest[r.count:]
	}
}

func refuse(requests []*pending, failure *Failure) {
	for _, r := range requests {
		r.reply(answer{failure: failure})
	}
}

// reply never blocks: a second answer, which only a planted bug gives, is dropped.
func (p *pending) reply(a answer) {
	select {
	case p.answer <- a:
	default:
	}
}

// acknowledgeUnseen is the planted bug AckBeforeCommit.
func acknowledgeUnseen(batch []*pending) {
	for _, p := range batch {
		results := make([]ledger.Result, p.count)
		for i := range results {
			results[i] = ledger.Result{Code: ledger.CodeApplied, Attempt: 1}
		}
		p.reply(answer{applied: Applied{Results: results}})
	}
}

// Load is what the Coalescer has to do at present: operations and bytes that wait in the queue, and proposals that are
// being made or are with raft.
func (c *Coalescer) Load() (operations, bytes, inFlight int) {
	operations, bytes = c.queue.load()
	return operations, bytes, c.flight.load()
}

// Hold stops proposing until release is called; requests queue meanwhile. It returns at once, and what is in flight goes
// on: see Idle.
func (c *Coalescer) Hold() (release func()) { return c.flight.hold() }

// Idle waits until no proposal is being made or in flight, or until ctx ends.
func (c *Coalescer) Idle(ctx context.Context) error { return c.flight.idle(ctx) }

// Drain waits until every admitted request is answered, or until ctx ends. Only sensible once nothing is admitted any
// more: close the Gate first.
func (c *Coalescer) Drain(ctx context.Context) error {
	for {
		// In this order: what the packer takes from the queue is in flight before it leaves the queue.
		empty := c.queue.empty()
		if err := c.flight.idle(ctx); err != nil {
			return err
		}
		if empty {
			return nil
		}
		select {
		case <-time.After(drainPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drainPoll is how often Drain looks whether the queue is empty.
const drainPoll = 5 * time.Millisecond

// Close answers what waits NOT_DONE and ends the goroutines. Call it after raft has shut down: then raft has answered
// what it ever will. Where it left a proposal unanswered, Close waits for it until ctx ends, answers its requests
// UNKNOWN and returns an error; the completer's goroutine then stays until the process ends.
func (c *Coalescer) Close(ctx context.Context) error {
	c.closeOnce.Do(func() { close(c.closing) })
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		c.abandonOnce.Do(func() { close(c.abandoned) })
		return fmt.Errorf("raft has left proposals unanswered; their outcome is unknown: %w", ctx.Err())
	}
}
