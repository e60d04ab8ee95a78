package server

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// BookStore is what books are read from; *fsm.FSM is one.
type BookStore interface {
	AppliedState
	ReadIndexed(read func(state *ledger.State, index uint64))
	// PinAccounts pins all accounts, to be read while at most so many bytes change that are not read yet.
	PinAccounts(most uint64) (*fsm.Accounts, error)
	// OpenFeed opens a reader of entries.
	OpenFeed() *fsm.Feed
}

var _ BookStore = (*fsm.FSM)(nil)

// BooksConfig is what the books service needs. Zero limits mean the defaults.
type BooksConfig struct {
	Raft   Raft
	Store  BookStore
	Gate   *Gate
	Logger hclog.Logger
	// ClusterID and Member say whose books they are.
	ClusterID, Member string
	// Pace waits until so many bytes may be sent; nil: there is no limit.
	Pace func(ctx context.Context, bytes int) error
	// Preserve is how many bytes of accounts may be kept that change while they are exported. Default 512 MiB.
	Preserve uint64
	// Idle is how long a caller may take nothing. Default 1 min.
	Idle time.Duration
	// Catch is how long an index is waited for. Default 10 s.
	Catch time.Duration
}

// Books is the books service.
type Books struct {
	ballastv1.UnimplementedBooksServiceServer
	cfg BooksConfig
	// accounts and entries have a place for every export that may run at the same time.
	accounts, entries chan struct{}
}

// Exports at the same time: of accounts, which keep memory, and of entries, which keep a file open.
const (
	accountExports = 1
	entryExports   = 2
)

// Sizes of pieces.
const (
	pieceRows  = 500
	pieceBytes = 128 << 10 // of the journal
)

// NewBooks returns the books service. It owns no goroutines beyond its calls.
func NewBooks(cfg BooksConfig) *Books {
	defaultTo(&cfg.Preserve, 512<<20)
	defaultTo(&cfg.Idle, time.Minute)
	defaultTo(&cfg.Catch, 10*time.Second)
	if cfg.Pace == nil {
		cfg.Pace = func(context.Context, int) error { return nil }
	}
	return &Books{cfg: cfg, accounts: make(chan struct{}, accountExports), entries: make(chan struct{}, entryExports)}
}

// ExportAccounts is ballastv1.BooksServiceServer's.
func (b *Books) ExportAccounts(
	r *ballastv1.ExportAccountsRequest, stream grpc.ServerStreamingServer[ballastv1.ExportAccountsResponse],
) error {
	ctx := stream.Context()
	if failure := b.begin(ctx, r.GetFromLeader(), r.GetLedger(), r.GetLeastIndex()); failure != nil {
		return failure
	}
	d, failure := deliver(b, stream, b.accounts)
	if failure != nil {
		return failure
	}
	defer d.end()
	accounts, err := b.cfg.Store.PinAccounts(b.cfg.Preserve)
	if err != nil {
		return b.failure(ctx, err)
	}
	defer accounts.Close(nil)
	d.onIdle(func() { accounts.Close(errIdle) })
	head := &ballastv1.BooksHead{Index: accounts.Index, LogTime: accounts.LogTime, Sequence: accounts.Sequence, ExpectedRows: accounts.Count()}
	if err := d.send(&ballastv1.ExportAccountsResponse{Head: b.signed(head)}, 0); err != nil {
		return b.failure(ctx, err)
	}
	var piece []*ballastv1.Account
	flush := func() error {
		rows := len(piece)
		defer func() { piece = nil }()
		return d.send(&ballastv1.ExportAccountsResponse{Accounts: piece}, rows)
	}
	err = accounts.Each(func(a *ledger.Account) error {
		if a.System && !r.GetIncludeSystem() || r.GetLedger() != "" && a.Ledger != r.GetLedger() {
			return nil
		}
		if piece = append(piece, accountProto(a)); len(piece) < pieceRows {
			return nil
		}
		return flush()
	})
	if err == nil && len(piece) > 0 {
		err = flush()
	}
	return b.finish(ctx, "accounts", head, d.rows, err, func() error {
		return d.send(&ballastv1.ExportAccountsResponse{Rows: &d.rows}, 0)
	})
}

// ExportEntries is ballastv1.BooksServiceServer's.
func (b *Books) ExportEntries(
	r *ballastv1.ExportEntriesRequest, stream grpc.ServerStreamingServer[ballastv1.ExportEntriesResponse],
) error {
	ctx := stream.Context()
	if failure := b.begin(ctx, r.GetFromLeader(), r.GetLedger(), r.GetLeastIndex()); failure != nil {
		return failure
	}
	d, failure := deliver(b, stream, b.entries)
	if failure != nil {
		return failure
	}
	defer d.end()
	head := &ballastv1.BooksHead{}
	b.cfg.Store.ReadIndexed(func(s *ledger.State, index uint64) {
		head.Index, head.LogTime, head.Sequence = index, s.LogTime(), s.Sequence()
	})
	after, until := r.GetAfterSequence(), head.GetSequence()
	if asked := r.GetUntilSequence(); asked > 0 {
		until = min(until, asked)
	}
	head.ExpectedRows = max(until, after) - after
	feed := b.cfg.Store.OpenFeed()
	defer feed.Close()
	err := d.send(&ballastv1.ExportEntriesResponse{Head: b.signed(head)}, 0)
	for at := after; err == nil && at < until; {
		var entries []fsm.StatementEntry
		if entries, err = feed.Read(at, until, pieceBytes); err != nil || len(entries) == 0 {
			break
		}
		at = entries[len(entries)-1].Sequence
		if piece := entriesProto(entries, r.GetLedger()); len(piece) > 0 {
			err = d.send(&ballastv1.ExportEntriesResponse{Entries: piece}, len(piece))
		} else {
			err = d.goOn()
		}
	}
	return b.finish(ctx, "entries", head, d.rows, err, func() error {
		return d.send(&ballastv1.ExportEntriesResponse{Rows: &d.rows}, 0)
	})
}

// entriesProto are those of a ledger; only empty: all.
func entriesProto(entries []fsm.StatementEntry, only string) (piece []*ballastv1.Entry) {
	for i := range entries {
		if only == "" || entries[i].LedgerName == only {
			piece = append(piece, entryProto(&entries[i]))
		}
	}
	return piece
}

// begin refuses what this member does not give, and waits until it shows what is asked for.
func (b *Books) begin(ctx context.Context, fromLeader bool, name string, least uint64) *Failure {
	if failure := mayGive(b.cfg.Gate, b.cfg.Raft, fromLeader); failure != nil {
		return failure
	}
	if name != "" && !ledger.ValidLedgerName([]byte(name)) {
		return invalid("ledger: want 1 to %d of a-z, 0-9, '-', '_', '.', found %q", ledger.MaxLedgerLen, clip(name))
	}
	wait, cancel := context.WithTimeout(ctx, b.cfg.Catch)
	defer cancel()
	if err := b.cfg.Store.WaitApplied(wait, least); err != nil {
		if ctx.Err() != nil {
			return contextFailure(ctx.Err(), ballastv1.Outcome_OUTCOME_NOT_DONE)
		}
		applied, _ := b.cfg.Store.Applied()
		return precondition("expected a member that shows index %d, this one shows %d: ask another one", least, applied)
	}
	if name == "" {
		return nil
	}
	known := false
	b.cfg.Store.ReadIndexed(func(s *ledger.State, _ uint64) { _, known = s.Ledger([]byte(name)) })
	if !known {
		return notFound("ledger: there is no ledger %q", clip(name))
	}
	return nil
}

// signed is the head with whose books they are.
func (b *Books) signed(head *ballastv1.BooksHead) *ballastv1.BooksHead {
	head.ClusterId, head.Member = b.cfg.ClusterID, b.cfg.Member
	return head
}

// finish ends an export: whole says that all of it was sent, where that is so and what was read may be told.
func (b *Books) finish(ctx context.Context, what string, head *ballastv1.BooksHead, rows uint64, err error, whole func() error) error {
	if err == nil {
		if failure := b.cfg.Gate.sound(); failure != nil {
			return failure
		}
		err = whole()
	}
	if err != nil {
		b.cfg.Logger.Warn("an export broke off", "by", caller(ctx), "what", what, "index", head.GetIndex(), "rows", rows, "error", err)
		return b.failure(ctx, err)
	}
	b.cfg.Logger.Info("an export is given", "by", caller(ctx), "what", what, "index", head.GetIndex(), "rows", rows)
	return nil
}

// errIdle ends an export that nobody takes.
var errIdle = errors.New("nothing of it was taken for too long")

// failure says why an export broke off.
func (b *Books) failure(ctx context.Context, err error) *Failure {
	var f *Failure
	switch {
	case errors.As(err, &f):
		return f
	case ctx.Err() != nil:
		return contextFailure(ctx.Err(), ballastv1.Outcome_OUTCOME_NOT_DONE)
	case errors.Is(err, context.Canceled): // the gate
		if f := b.cfg.Gate.pass(); f != nil {
			return f
		}
	case errors.Is(err, fsm.ErrOutrun), errors.Is(err, errIdle):
		f := retryable("the export broke off: %v; take it again where what reads it is faster, or when less changes", err)
		return f
	case errors.Is(err, fsm.ErrChanged):
		return retryable("the export broke off, because this member took in a snapshot: take it again")
	case errors.Is(err, fsm.ErrMissing):
		return journalFailure(ctx, err)
	}
	f = notDone(codes.Unavailable, "the export broke off: what came of it is of no use; take it again, from another member where this one's log says why")
	f.Cause = err
	return f
}
