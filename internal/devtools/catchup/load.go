package catchup

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ballastdb/ballast/internal/wait"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/workload"
)

// longest a load may run.
const longest = 30 * time.Minute

// loadConfig is the load of all cases: callers with 50 operations each, over all accounts alike.
func (r *rig) loadConfig(name string) workload.Config {
	return workload.Config{
		Name: name, Accounts: r.Accounts, Mix: workload.Mix{Credit: 1, Debit: 1, Transfer: 2},
		Callers: 32, Operations: 50, Duration: longest, Seed: uint64(r.clusters),
	}
}

// capacity measures how many calls of the load a second the cluster answers when asked for as many as it can.
func (r *rig) capacity(ctx context.Context) (float64, error) {
	config := r.loadConfig("capacity")
	config.Warmup, config.Duration = r.scaled(2*time.Second), max(r.scaled(8*time.Second), time.Second)
	result, err := workload.Run(ctx, config, workload.NewClientTarget(r.client))
	if err != nil {
		return 0, err
	}
	if result.Failed > 0 {
		return 0, fmt.Errorf("%d calls failed while the capacity was measured, the last with: %w", result.Failed, result.LastFailure)
	}
	r.tell("capacity %.0f operations a second, p99 %v", result.Throughput(), result.Quantile(99))
	return float64(result.Calls) / result.Elapsed.Seconds(), nil
}

// load is a load under way, with witnesses beside it. Stop ends it.
type load struct {
	timeline *Timeline
	stopped  chan struct{}
	done     chan struct{}
	result   workload.Result
	err      error
	witness  *witness
}

// steady starts a load of calls a second; 0: as many as can be.
func (r *rig) steady(ctx context.Context, title string, calls float64) *load {
	config := r.loadConfig("steady")
	config.Rate = calls
	if calls > 0 {
		config.Callers = 256 // enough for the rate to go on while calls are slow
	}
	l := &load{timeline: newTimeline(title), stopped: make(chan struct{}), done: make(chan struct{})}
	l.witness = newWitness(ctx, r.client, r.Accounts)
	target := workload.NewClientTarget(r.client)
	go func() {
		defer close(l.done)
		l.result, l.err = workload.Observe(ctx, config, target, l.stopped, l.timeline.add)
	}()
	return l
}

// stop ends the load and waits for the calls under way.
func (l *load) stop(ctx context.Context) error {
	close(l.stopped)
	<-l.done
	l.timeline.end()
	if err := l.witness.stop(ctx); err != nil {
		return err
	}
	return l.err
}

// witnesses is how many callers count their own money.
const witnesses = 4

// witness are callers who credit 1 to accounts of their own, one after another, ask again with the same id until they
// have an answer, and in the end compare the balances with what they were told: nothing lost, nothing doubled.
type witness struct {
	client  *client.Client
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	account []string
	told    []int64
	before  []int64
	err     error
	errOnce sync.Once
}

func newWitness(ctx context.Context, c *client.Client, accounts int) *witness {
	ctx, cancel := context.WithCancel(ctx)
	w := &witness{client: c, cancel: cancel, told: make([]int64, witnesses), before: make([]int64, witnesses)}
	for i := range witnesses {
		w.account = append(w.account, fmt.Sprintf("witness-%d-%d", accounts, i))
	}
	for i := range witnesses {
		w.wg.Go(func() {
			if err := w.run(ctx, i); err != nil {
				w.errOnce.Do(func() { w.err = err })
			}
		})
	}
	return w
}

func (w *witness) run(ctx context.Context, i int) error {
	// What was begun is ended also when the load is over.
	always := context.WithoutCancel(ctx)
	if err := w.settle(always, client.NewCreateAccount(w.account[i], workload.Ledger, client.Limits{})); err != nil {
		return err
	}
	account, err := w.client.Account(always, w.account[i])
	if err != nil {
		return err
	}
	w.before[i] = account.GetPosted()
	for wait.For(ctx, 5*time.Millisecond) == nil {
		if err := w.settle(always, client.NewCredit(w.account[i], 1)); err != nil {
			return err
		}
		w.told[i]++
	}
	return nil
}

// settle repeats one operation until it is answered.
func (w *witness) settle(ctx context.Context, op *ballastv1.Operation) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		tryCtx, done := context.WithTimeout(ctx, callTimeout)
		results, err := w.client.Submit(tryCtx, op)
		done()
		switch {
		case err == nil && results[0].GetCode() == ballastv1.ResultCode_RESULT_CODE_ACCOUNT_EXISTS:
			return nil
		case err == nil:
			return client.AsRefusal(op, results[0])
		case ctx.Err() != nil:
			return err
		}
		if err := wait.For(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// stop ends the witnesses and compares.
func (w *witness) stop(ctx context.Context) error {
	w.cancel()
	w.wg.Wait()
	if w.err != nil {
		return w.err
	}
	for i, id := range w.account {
		account, err := w.client.Account(ctx, id)
		if err != nil {
			return err
		}
		if got := account.GetPosted() - w.before[i]; got != w.told[i] {
			return fmt.Errorf("%s was told of %d credits, and %d are in the books", id, w.told[i], got)
		}
	}
	return nil
}
