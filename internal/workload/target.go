package workload

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Target is what a workload runs against. It is used by many goroutines.
type Target interface {
	// Submit does the operations of one call, all answered when it returns. refused counts those that were refused.
	Submit(ctx context.Context, ops []*ballastv1.Operation) (refused int, err error)
}

// Reader is a Target that reads too. It is used by many goroutines.
type Reader interface {
	// Read reads accounts, each of which exists, in one call.
	Read(ctx context.Context, accounts []string, stale bool) error
}

// clientTarget is a cluster.
type clientTarget struct{ c *client.Client }

// NewClientTarget measures a cluster through the client library, as its callers see it.
func NewClientTarget(c *client.Client) Target { return clientTarget{c} }

// Submit counts results that are not APPLIED.
func (t clientTarget) Submit(ctx context.Context, ops []*ballastv1.Operation) (refused int, err error) {
	results, err := t.c.Submit(ctx, ops...)
	for _, r := range results {
		if r.GetCode() != ballastv1.ResultCode_RESULT_CODE_APPLIED {
			refused++
		}
	}
	return refused, err
}

// Read asks for all accounts at one index.
func (t clientTarget) Read(ctx context.Context, accounts []string, stale bool) error {
	var options []client.ReadOption
	if stale {
		options = append(options, client.Stale())
	}
	answer, err := t.c.Accounts(ctx, accounts, options...)
	if err != nil {
		return err
	}
	return allFound(answer, len(accounts))
}

func allFound(answer *ballastv1.GetAccountsResponse, want int) error {
	if found := len(answer.GetAccounts()); found != want {
		return fmt.Errorf("%d of %d accounts were found, expected all: were they prepared?", found, want)
	}
	return nil
}

// Ledger that the accounts of workloads belong to.
const Ledger = "bench"

const (
	// prepareBatch is at most what one call may hold, and prepareCalls that many are made at a time: both keep a cluster
	// busy with full proposals.
	prepareBatch = 4000
	prepareCalls = 4
	// prepareTimeout of a call: what is prepared is not measured, so it outlives an election or two.
	prepareTimeout = time.Minute
	// overdraft of every account, so that debits are not refused. Accounts need no first credit this way, and the state no
	// operation id for it.
	overdraft = int64(1) << 40
)

// Prepare makes the ledger and the accounts of a workload where they are missing. It may be repeated, also with another
// number of accounts.
func Prepare(ctx context.Context, c *client.Client, accounts int) error {
	ledger := client.NewCreateLedger(Ledger, "USD", 6)
	results, err := c.Submit(ctx, ledger)
	if err != nil {
		return fmt.Errorf("create the ledger of the workload: %w", err)
	}
	if code := results[0].GetCode(); code != ballastv1.ResultCode_RESULT_CODE_LEDGER_EXISTS {
		if err := client.AsRefusal(ledger, results[0]); err != nil {
			return fmt.Errorf("create the ledger of the workload: %w", err)
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range prepareCalls {
		wg.Go(func() {
			for ctx.Err() == nil {
				first := int(next.Add(1)-1) * prepareBatch
				if first >= accounts {
					return
				}
				if err := prepareAccounts(ctx, c, first, min(first+prepareBatch, accounts)); err != nil {
					cancel(fmt.Errorf("create the accounts of the workload: %w", err))
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// prepareAccounts opens accounts first to end-1; one that exists already stays as it is.
func prepareAccounts(ctx context.Context, c *client.Client, first, end int) error {
	floor := -overdraft
	var ops []*ballastv1.Operation
	for i := first; i < end; i++ {
		ops = append(ops, client.NewCreateAccount(AccountID(i), Ledger, client.Limits{Floor: &floor}))
	}
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	results, err := c.Submit(ctx, ops...)
	if err != nil {
		return err
	}
	for i, r := range results {
		if r.GetCode() == ballastv1.ResultCode_RESULT_CODE_ACCOUNT_EXISTS {
			continue
		}
		if err := client.AsRefusal(ops[i], r); err != nil {
			return err
		}
	}
	return nil
}

// worthless reports whether an error would be met by every other call too.
func worthless(err error) bool {
	return errors.Is(err, client.ErrInvalid) || errors.Is(err, client.ErrClosed)
}
