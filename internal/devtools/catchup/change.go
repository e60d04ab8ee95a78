package catchup

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/workload"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const (
	// changeBatch operations of a call, changeCalls calls at a time.
	changeBatch = 4000
	changeCalls = 4
	// changeTimeout of a call: it is not measured.
	changeTimeout = time.Minute
)

// some chooses n accounts by chance, the same ones each time.
func (r *rig) some(n int) []int {
	random := rand.New(rand.NewPCG(uint64(r.Accounts), 1))
	return random.Perm(r.Accounts)[:n]
}

// credit credits 1 to each of the accounts once.
func (r *rig) credit(ctx context.Context, accounts []int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range changeCalls {
		wg.Go(func() {
			for ctx.Err() == nil {
				first := int(next.Add(1)-1) * changeBatch
				if first >= len(accounts) {
					return
				}
				if err := r.creditOnce(ctx, accounts[first:min(first+changeBatch, len(accounts))]); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (r *rig) creditOnce(ctx context.Context, accounts []int) error {
	var ops []*ballastv1.Operation
	for _, i := range accounts {
		ops = append(ops, client.NewCredit(workload.AccountID(i), 1))
	}
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	results, err := r.client.Submit(ctx, ops...)
	if err != nil {
		return err
	}
	for i, result := range results {
		if err := client.AsRefusal(ops[i], result); err != nil {
			return err
		}
	}
	return nil
}

// creditUntil repeats credit over the same accounts while f runs, so that the log grows and no other account changes.
// It answers how many operations that were.
func (r *rig) creditUntil(ctx context.Context, accounts []int, f func() error) (operations int, err error) {
	stop := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := r.credit(ctx, accounts); err != nil {
				done <- err
				return
			}
			operations += len(accounts)
		}
	}()
	err = f()
	close(stop)
	if changing := <-done; err == nil {
		err = changing
	}
	return operations, err
}
