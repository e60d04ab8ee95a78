package e2e

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
)

// Members stopped in order and started again one after the other, the leader among them, cost callers nothing but time.
func TestRollingRestartUnderLoad(t *testing.T) {
	const callers = 8
	b := openBank(t, testcluster.Options{})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var load sync.WaitGroup
	var credited [callers]int64
	var done atomic.Int64
	errs := make(chan error, callers)
	for i := range callers {
		account := fmt.Sprintf("caller-%d", i)
		_, err := b.client.CreateAccount(b.ctx(), account, "usd", client.Limits{})
		must(t, err)
		load.Go(func() {
			for ctx.Err() == nil {
				if _, err := b.client.Credit(context.Background(), account, 1); err != nil {
					errs <- fmt.Errorf("%s: %w", account, err)
					return
				}
				credited[i]++
				done.Add(1)
			}
		})
	}
	for _, m := range b.cluster.Members {
		before := done.Load()
		must(t, m.Stop(b.ctx()))
		must(t, testcluster.Until(b.ctx(), "writes go on", func(context.Context) error {
			if now := done.Load(); now < before+callers {
				return fmt.Errorf("%d credits since %s was stopped", now-before, m.Name)
			}
			return nil
		}))
		must(t, m.Start())
		must(t, testcluster.Until(b.ctx(), m.Name+" has caught up", func(ctx context.Context) error {
			return caughtUp(ctx, b.cluster, m)
		}))
	}
	stop()
	load.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	for i, want := range credited {
		b.expected[fmt.Sprintf("caller-%d", i)] = want
	}
	b.checkEqual()
	b.check()
}
