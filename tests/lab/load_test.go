//go:build lab

package lab

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ballastdb/ballast/client"
)

const callers = 4

// load is callers that credit an account each, one credit after the other, and what came of it.
type load struct {
	l      *lab
	c      *client.Client
	stop   context.CancelFunc
	ended  sync.WaitGroup
	done   atomic.Int64
	acked  [callers]atomic.Int64
	failed chan error
}

func account(i int) string { return fmt.Sprintf("caller-%d", i) }

// prepareAccounts makes what a load credits; once in a cluster.
func (l *lab) prepareAccounts(c *client.Client) {
	l.t.Helper()
	_, err := c.CreateLedger(l.ctx(), "usd", "USD", 2)
	must(l.t, err)
	for i := range callers {
		_, err := c.CreateAccount(l.ctx(), account(i), "usd", client.Limits{})
		must(l.t, err)
	}
}

// start lets the callers begin. The client's own patience is all that a fault may cost them: a call that fails is a failure.
func (l *lab) start(c *client.Client) *load {
	ctx, stop := context.WithCancel(context.Background())
	w := &load{l: l, c: c, stop: stop, failed: make(chan error, callers)}
	for i := range callers {
		w.ended.Go(func() {
			for ctx.Err() == nil {
				if _, err := c.Credit(context.Background(), account(i), 1); err != nil {
					w.failed <- fmt.Errorf("%s: %w", account(i), err)
					return
				}
				w.acked[i].Add(1)
				w.done.Add(1)
			}
		})
	}
	l.t.Cleanup(func() { stop(); w.ended.Wait() })
	return w
}

// goesOn waits until more credits have been acknowledged than callers can have had under way.
func (w *load) goesOn(after string) {
	w.l.t.Helper()
	before := w.done.Load()
	w.l.until("credits go on "+after, func(context.Context) error {
		select {
		case err := <-w.failed:
			w.failed <- err
			return err
		default:
		}
		if now := w.done.Load(); now < before+10*callers {
			return fmt.Errorf("%d credits since", now-before)
		}
		return nil
	})
}

// end stops the callers. Where calls may fail the outcome of the last of each caller is open.
func (w *load) end(mayFail bool) {
	w.l.t.Helper()
	w.stop()
	w.ended.Wait()
	close(w.failed)
	failures := 0
	for err := range w.failed {
		failures++
		if !mayFail {
			w.l.t.Errorf("a call failed: %v", err)
		}
	}
	w.l.t.Logf("%d credits acknowledged, %d callers failed", w.done.Load(), failures)
	for i := range callers {
		got, err := w.c.Account(w.l.ctx(), account(i))
		must(w.l.t, err)
		acked := w.acked[i].Load()
		if got.Posted < acked || got.Posted > acked+1 || !mayFail && got.Posted != acked {
			w.l.t.Errorf("%s has %d, acknowledged were %d", account(i), got.Posted, acked)
		}
	}
}
