package linearizability

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	"github.com/ballastdb/ballast/tests/linearizability/history"
)

// askTruth reads what the store says became of a round: its ledger's accounts, their entries, and the ids whose fate the
// calls do not tell. Nothing may be under way.
func askTruth(ctx context.Context, c *client.Client, ledger string, recorder *history.Recorder) (*history.Truth, error) {
	truth := &history.Truth{Operations: map[string]*ballastv1.GetOperationResponse{}}
	for account, err := range c.ListAccounts(ctx, client.Filter{Ledger: ledger, System: true}) {
		if err != nil {
			return nil, fmt.Errorf("list the accounts of %s: %w", ledger, err)
		}
		truth.Accounts = append(truth.Accounts, account)
	}
	if err := askEntries(ctx, c, truth); err != nil {
		return nil, err
	}
	if err := askOperations(ctx, c, truth, history.NeedsOperation(recorder.Calls())); err != nil {
		return nil, err
	}
	truth.Time = recorder.Now()
	return truth, nil
}

func askEntries(ctx context.Context, c *client.Client, truth *history.Truth) error {
	bySequence := map[uint64]*ballastv1.Entry{}
	for _, account := range truth.Accounts {
		for entry, err := range c.Statement(ctx, account.GetId(), 0) {
			if err != nil {
				return fmt.Errorf("statement of %s: %w", account.GetId(), err)
			}
			bySequence[entry.GetSequence()] = entry // a transfer is in two statements
		}
	}
	for _, entry := range bySequence {
		truth.Entries = append(truth.Entries, entry)
	}
	slices.SortFunc(truth.Entries, func(a, b *ballastv1.Entry) int { return cmp.Compare(a.GetSequence(), b.GetSequence()) })
	return nil
}

func askOperations(ctx context.Context, c *client.Client, truth *history.Truth, ids []string) error {
	const atOnce = 16
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, id := range ids {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			answer, err := c.Operation(ctx, id)
			if err != nil {
				return fmt.Errorf("what became of %s: %w", id, err)
			}
			mu.Lock()
			defer mu.Unlock()
			truth.Operations[id] = answer
			return nil
		})
	}
	return group.Wait()
}
