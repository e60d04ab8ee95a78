package server

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/semaphore"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Store is what the services read; *fsm.FSM is one.
type Store interface {
	AppliedState
	// ReadIndexed calls read with the state and the index that it shows, under the lock that keeps both still.
	ReadIndexed(read func(state *ledger.State, index uint64))
	// Statement reads a page of an account's entries, BalanceAfter and BalanceAt a balance of the past.
	Statement(ctx context.Context, q fsm.StatementQuery) (fsm.Statement, error)
	BalanceAfter(ctx context.Context, account []byte, sequence uint64) (fsm.PastBalance, error)
	BalanceAt(ctx context.Context, account []byte, time int64) (fsm.PastBalance, error)
	// Entry reads an entry. fsm.ErrUnknownEntry: there is none of this number here.
	Entry(sequence uint64) (ledger.Entry, error)
	// Head tells where the state stands, LinkAt the link of an entry that it has, OpenFeed reads on from one.
	Head() fsm.Head
	LinkAt(sequence uint64) (uint64, error)
	OpenFeed() *fsm.Feed
}

var _ Store = (*fsm.FSM)(nil)

// OpenResponse is a CoalescerConfig.Open for the answers of *fsm.FSM.
func OpenResponse(response any) (Applied, error) {
	r, ok := response.(*fsm.Response)
	if !ok {
		return Applied{}, fmt.Errorf("the state machine answered a %T, want %T", response, r)
	}
	return Applied{Results: r.Results, LogTime: r.LogTime}, r.Err
}

// MoneyConfig is what the money service needs. Zero limits mean the defaults.
type MoneyConfig struct {
	Raft      Raft
	Coalescer *Coalescer
	Reads     *ReadIndex
	Store     Store
	Gate      *Gate
	Logger    hclog.Logger
	// Ready reports whether a leader's clock is set for its term: nothing is proposed before.
	Ready func(term uint64) bool
	// Leader is where this member believes the leader to be; nil where it knows none.
	Leader func() *ballastv1.LeaderHint
	// DefaultTimeout bounds calls that have no deadline of their own, MaxTimeout those that have. Defaults 10 s, 60 s.
	DefaultTimeout, MaxTimeout time.Duration
	// StreamRequests and StreamOperations bound what of one stream may be unanswered. Defaults 1,024 and 65,536.
	StreamRequests, StreamOperations int64
	// Watches bounds the watches that are served at the same time. WatchPace is the least time between two looks of one of
	// them for new entries. Defaults 64, 10 ms.
	Watches   int64
	WatchPace time.Duration
}

// Money is the money service.
type Money struct {
	ballastv1.UnimplementedMoneyServiceServer
	cfg MoneyConfig
	// watches bounds how many watches there are, watchReads how many of them read at the same time: what they cost the
	// member is at most one core.
	watches, watchReads *semaphore.Weighted
}

// NewMoney returns the money service. It owns no goroutines beyond its calls.
func NewMoney(cfg MoneyConfig) *Money {
	defaultTo(&cfg.DefaultTimeout, 10*time.Second)
	defaultTo(&cfg.MaxTimeout, time.Minute)
	defaultTo(&cfg.StreamRequests, 1024)
	defaultTo(&cfg.StreamOperations, 1<<16)
	defaultTo(&cfg.Watches, 64)
	defaultTo(&cfg.WatchPace, 10*time.Millisecond)
	return &Money{cfg: cfg, watches: semaphore.NewWeighted(cfg.Watches), watchReads: semaphore.NewWeighted(1)}
}

// Submit is ballastv1.MoneyServiceServer's.
func (m *Money) Submit(ctx context.Context, r *ballastv1.SubmitRequest) (*ballastv1.SubmitResponse, error) {
	ctx, cancel := m.bounded(ctx, 0)
	defer cancel()
	response, failure := m.submit(ctx, r.GetOperations())
	if failure != nil {
		return nil, failure
	}
	return response, nil
}

// submit checks, proposes and answers operations.
func (m *Money) submit(ctx context.Context, operations []*ballastv1.Operation) (*ballastv1.SubmitResponse, *Failure) {
	if failure := m.cfg.Gate.passWrite(); failure != nil {
		return nil, m.hinted(failure)
	}
	encoded, failure := encodeRequest(operations, m.admission(ctx))
	if failure != nil {
		return nil, failure
	}
	ticket, failure := m.admit(ctx, encoded, len(operations))
	if failure != nil {
		return nil, failure
	}
	applied, failure := m.wait(ticket)
	if failure != nil {
		return nil, failure
	}
	return submitResponse(applied, operations, m.accountAt), nil
}

// admission is what a request is checked against now.
func (m *Money) admission(ctx context.Context) admission {
	return admission{
		latest: m.cfg.Coalescer.latestIssue(), later: m.latestIssueByLog,
		original: func(sequence uint64) (ledger.Original, error) { return m.original(ctx, sequence) },
	}
}

// admit queues count operations that were checked and encoded.
func (m *Money) admit(ctx context.Context, encoded []byte, count int) (*Ticket, *Failure) {
	term, ok := leads(m.cfg.Raft)
	if !ok {
		return nil, m.hinted(notLeader(nil))
	}
	if !m.cfg.Ready(term) {
		return nil, notReady()
	}
	ticket, err := m.cfg.Coalescer.Admit(ctx, encoded, count)
	if err != nil {
		return nil, m.hinted(err)
	}
	return ticket, nil
}

// latestIssueByLog is the latest time that an operation may have been issued at by log time, which is ahead of this
// member's clock where that of an earlier leader was. Callers stamp by log time.
func (m *Money) latestIssueByLog() (latest int64) {
	m.cfg.Store.ReadIndexed(func(s *ledger.State, _ uint64) { latest = s.LogTime() + int64(ledger.MaxIssuedAhead) })
	return latest
}

// wait waits for what became of admitted operations.
func (m *Money) wait(ticket *Ticket) (Applied, *Failure) {
	applied, err := ticket.Wait()
	if err != nil {
		return Applied{}, m.hinted(err)
	}
	if failure := m.cfg.Gate.sound(); failure != nil { // the results are those of a state that is wrong
		failure.Outcome = ballastv1.Outcome_OUTCOME_UNKNOWN
		return Applied{}, m.hinted(failure)
	}
	return applied, nil
}

// accountAt is the id of the account at a slot.
func (m *Money) accountAt(slot uint32) (id string) {
	m.cfg.Store.ReadIndexed(func(s *ledger.State, _ uint64) { id, _, _, _ = s.AccountNames(slot) })
	return id
}

// bounded gives a call the time that it may take: wanted, where above 0, and the deadline of ctx, within MaxTimeout;
// DefaultTimeout where it has neither.
func (m *Money) bounded(ctx context.Context, wanted time.Duration) (context.Context, context.CancelFunc) {
	limit := min(wanted, m.cfg.MaxTimeout)
	if wanted <= 0 {
		limit = m.cfg.DefaultTimeout
		if _, ok := ctx.Deadline(); ok {
			limit = m.cfg.MaxTimeout
		}
	}
	return context.WithTimeout(ctx, limit)
}

// hinted is err as a Failure that says where the leader is.
func (m *Money) hinted(err error) *Failure { return withLeader(err, m.cfg.Leader) }
