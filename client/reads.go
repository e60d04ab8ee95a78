package client

import (
	"context"
	"fmt"
	"iter"
	"math"
	"time"

	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// maxAccounts that one Accounts call reads, at one index.
const maxAccounts = 1000

// ReadOption changes how a read is done.
type ReadOption func(*readConfig)

type readConfig struct {
	consistency ballastv1.Consistency
	state       func(*ballastv1.ReadState)
	pageSize    uint32
}

// Stale asks any member, which answers at once with what it has. OnState tells how old that is.
func Stale() ReadOption {
	return func(r *readConfig) { r.consistency = ballastv1.Consistency_CONSISTENCY_STALE }
}

// OnState calls fn with what each answer saw: its log index, log time and, for stale reads, its age. Listings call it
// once for each page.
func OnState(fn func(*ballastv1.ReadState)) ReadOption { return func(r *readConfig) { r.state = fn } }

// WithPageSize sets how many rows a listing asks for at a time, 1 to 1,000; default 1,000.
func WithPageSize(n uint32) ReadOption { return func(r *readConfig) { r.pageSize = n } }

func newRead(options []ReadOption) *readConfig {
	r := &readConfig{consistency: ballastv1.Consistency_CONSISTENCY_LINEARIZABLE, pageSize: 1000, state: func(*ballastv1.ReadState) {}}
	for _, option := range options {
		option(r)
	}
	return r
}

func (r *readConfig) stale() bool { return r.consistency == ballastv1.Consistency_CONSISTENCY_STALE }

// Account reads one account. ErrUnknownAccount where there is none: neither unavailable nor zero.
func (c *Client) Account(ctx context.Context, id string, options ...ReadOption) (*ballastv1.Account, error) {
	answer, err := c.Accounts(ctx, []string{id}, options...)
	if err != nil {
		return nil, err
	}
	if len(answer.GetAccounts()) != 1 {
		return nil, fmt.Errorf("%w: %q", ErrUnknownAccount, id)
	}
	return answer.GetAccounts()[0], nil
}

// Accounts reads 1 to 1,000 accounts at one index. Ids that no account has are listed apart.
func (c *Client) Accounts(ctx context.Context, ids []string, options ...ReadOption) (*ballastv1.GetAccountsResponse, error) {
	if len(ids) == 0 || len(ids) > maxAccounts {
		return nil, invalidf("ids", "%d, expected 1 to %d", len(ids), maxAccounts)
	}
	r := newRead(options)
	request := &ballastv1.GetAccountsRequest{Ids: ids, Consistency: r.consistency}
	var answer *ballastv1.GetAccountsResponse
	err := c.read(ctx, r.stale(), func(ctx context.Context, l *link) (err error) {
		answer, err = l.money.GetAccounts(ctx, request)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.state(answer.GetState())
	return answer, nil
}

// Filter selects accounts; the zero Filter selects all but system accounts.
type Filter struct {
	// Prefix of the ids.
	Prefix string
	// Ledger they belong to.
	Ledger string
	// System accounts are listed too.
	System bool
}

// ListAccounts lists accounts in order of id. Each page of rows is consistent; pages are not with each other. It ends
// after the first error. Without a deadline in ctx every page has the client's timeout to itself.
func (c *Client) ListAccounts(ctx context.Context, filter Filter, options ...ReadOption) iter.Seq2[*ballastv1.Account, error] {
	r := newRead(options)
	return listed(func() nextPage[*ballastv1.Account] {
		request := &ballastv1.ListAccountsRequest{
			Prefix: filter.Prefix, Ledger: filter.Ledger, IncludeSystem: filter.System,
			PageSize: r.pageSize, Consistency: r.consistency,
		}
		return func() ([]*ballastv1.Account, bool, error) {
			var page *ballastv1.ListAccountsResponse
			err := c.read(ctx, r.stale(), func(ctx context.Context, l *link) (err error) {
				page, err = l.money.ListAccounts(ctx, request)
				return err
			})
			if err != nil {
				return nil, false, err
			}
			r.state(page.GetState())
			request.PageToken = page.GetNextPageToken()
			return page.GetAccounts(), request.PageToken != "", nil
		}
	})
}

// Stretch is a part of an account's history; the zero Stretch is all of it, the newest entry first.
type Stretch struct {
	// Only entries with a sequence number above After and below Before; 0: no bound.
	After, Before uint64
	// Only entries with a log time of From or later, and before Until; zero: no bound.
	From, Until time.Time
	// Forward lists the oldest first.
	Forward bool
}

// Statement lists an account's entries, newest first, those with a sequence number below before (0: from the newest).
// It ends after the first error; ErrUnknownAccount where there is no such account.
func (c *Client) Statement(ctx context.Context, account string, before uint64, options ...ReadOption) iter.Seq2[*ballastv1.Entry, error] {
	return c.History(ctx, account, Stretch{Before: before}, options...)
}

// History lists an account's entries in a stretch; each tells the balance after it. It ends after the first error;
// ErrUnknownAccount where there is no such account.
func (c *Client) History(ctx context.Context, account string, of Stretch, options ...ReadOption) iter.Seq2[*ballastv1.Entry, error] {
	r := newRead(options)
	return listed(func() nextPage[*ballastv1.Entry] {
		request := &ballastv1.GetStatementRequest{
			Account: account, AfterSequence: of.After, BeforeSequence: of.Before, FromTime: nanoseconds(of.From), UntilTime: nanoseconds(of.Until),
			Forward: of.Forward, PageSize: r.pageSize, Consistency: r.consistency,
		}
		return func() ([]*ballastv1.Entry, bool, error) {
			var page *ballastv1.GetStatementResponse
			err := c.read(ctx, r.stale(), func(ctx context.Context, l *link) (err error) {
				page, err = l.money.GetStatement(ctx, request)
				return err
			})
			if hasCode(err, codes.NotFound) {
				err = fmt.Errorf("%w: %q", ErrUnknownAccount, account)
			}
			if err != nil {
				return nil, false, err
			}
			r.state(page.GetState())
			if of.Forward {
				request.AfterSequence = page.GetNextAfterSequence()
				return page.GetEntries(), request.AfterSequence != 0, nil
			}
			request.BeforeSequence = page.GetNextBeforeSequence()
			return page.GetEntries(), request.BeforeSequence != 0, nil
		}
	})
}

// nanoseconds of a time since 1970, 0 for the zero time; for one that does not fit the nearest that does, which is as far
// beyond all log times.
func nanoseconds(t time.Time) int64 {
	switch year := t.UTC().Year(); {
	case t.IsZero():
		return 0
	case year > 2261:
		return math.MaxInt64
	case year < 1678:
		return math.MinInt64
	}
	return t.UnixNano()
}

// BalanceAfter tells an account's posted balance right after an entry, 0: before the first. ErrUnknownAccount where there is no
// such account, or was none then.
func (c *Client) BalanceAfter(ctx context.Context, account string, sequence uint64, options ...ReadOption) (*ballastv1.GetPastBalanceResponse, error) {
	return c.pastBalance(ctx, &ballastv1.GetPastBalanceRequest{
		Account: account, At: &ballastv1.GetPastBalanceRequest_Sequence{Sequence: sequence},
	}, options)
}

// BalanceAt tells an account's posted balance at a log time: after all entries of that time and before. One that is not
// Final may change yet. ErrUnknownAccount where there is no such account, or was none then.
func (c *Client) BalanceAt(ctx context.Context, account string, at time.Time, options ...ReadOption) (*ballastv1.GetPastBalanceResponse, error) {
	return c.pastBalance(ctx, &ballastv1.GetPastBalanceRequest{
		Account: account, At: &ballastv1.GetPastBalanceRequest_Time{Time: nanoseconds(at)},
	}, options)
}

func (c *Client) pastBalance(ctx context.Context, request *ballastv1.GetPastBalanceRequest, options []ReadOption) (*ballastv1.GetPastBalanceResponse, error) {
	r := newRead(options)
	request.Consistency = r.consistency
	var answer *ballastv1.GetPastBalanceResponse
	err := c.read(ctx, r.stale(), func(ctx context.Context, l *link) (err error) {
		answer, err = l.money.GetPastBalance(ctx, request)
		return err
	})
	if hasCode(err, codes.NotFound) {
		err = fmt.Errorf("%w: %q", ErrUnknownAccount, request.GetAccount())
	}
	if err != nil {
		return nil, err
	}
	r.state(answer.GetState())
	return answer, nil
}

// nextPage fetches the next page of a listing, and tells whether there is another behind it.
type nextPage[T any] func() (rows []T, more bool, err error)

// listed yields the rows of one page after the other. Each walk over it is one of begin.
func listed[T any](begin func() nextPage[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		next := begin()
		for more := true; more; {
			var rows []T
			var err error
			if rows, more, err = next(); err != nil {
				yield(*new(T), err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// Operation tells what became of an operation id. Where it is not known, the horizon tells whether it may have been
// forgotten: an operation issued before it no longer has a known outcome.
func (c *Client) Operation(ctx context.Context, id string, options ...ReadOption) (*ballastv1.GetOperationResponse, error) {
	r := newRead(options)
	request := &ballastv1.GetOperationRequest{Id: id, Consistency: r.consistency}
	var answer *ballastv1.GetOperationResponse
	err := c.read(ctx, r.stale(), func(ctx context.Context, l *link) (err error) {
		answer, err = l.money.GetOperation(ctx, request)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.state(answer.GetState())
	return answer, nil
}

// GetHold reads a hold, open or ended. ErrUnknownHold where none of this id is remembered.
func (c *Client) GetHold(ctx context.Context, id string, options ...ReadOption) (*ballastv1.HoldRecord, error) {
	r := newRead(options)
	request := &ballastv1.GetHoldRequest{Id: id, Consistency: r.consistency}
	var answer *ballastv1.GetHoldResponse
	err := c.read(ctx, r.stale(), func(ctx context.Context, l *link) (err error) {
		answer, err = l.money.GetHold(ctx, request)
		return err
	})
	if hasCode(err, codes.NotFound) {
		err = fmt.Errorf("%w: %q", ErrUnknownHold, id)
	}
	if err != nil {
		return nil, err
	}
	r.state(answer.GetState())
	return answer.GetHold(), nil
}

// ListHolds lists an account's open holds, newest first. Each page of rows is consistent; pages are not with each other.
// It ends after the first error; ErrUnknownAccount where there is no such account.
func (c *Client) ListHolds(ctx context.Context, account string, options ...ReadOption) iter.Seq2[*ballastv1.HoldRecord, error] {
	r := newRead(options)
	return listed(func() nextPage[*ballastv1.HoldRecord] {
		request := &ballastv1.ListHoldsRequest{Account: account, PageSize: r.pageSize, Consistency: r.consistency}
		return func() ([]*ballastv1.HoldRecord, bool, error) {
			var page *ballastv1.ListHoldsResponse
			err := c.read(ctx, r.stale(), func(ctx context.Context, l *link) (err error) {
				page, err = l.money.ListHolds(ctx, request)
				return err
			})
			if hasCode(err, codes.NotFound) {
				err = fmt.Errorf("%w: %q", ErrUnknownAccount, account)
			}
			if err != nil {
				return nil, false, err
			}
			r.state(page.GetState())
			request.PageToken = page.GetNextPageToken()
			return page.GetHolds(), request.PageToken != "", nil
		}
	})
}

// Ledgers lists all ledgers in order of creation.
func (c *Client) Ledgers(ctx context.Context, options ...ReadOption) ([]*ballastv1.Ledger, error) {
	r := newRead(options)
	request := &ballastv1.ListLedgersRequest{Consistency: r.consistency}
	var answer *ballastv1.ListLedgersResponse
	err := c.read(ctx, r.stale(), func(ctx context.Context, l *link) (err error) {
		answer, err = l.money.ListLedgers(ctx, request)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.state(answer.GetState())
	return answer.GetLedgers(), nil
}
