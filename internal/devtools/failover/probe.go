package failover

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ballastdb/ballast/client"
)

const (
	// probeEvery is the time between the beginnings of two writes.
	probeEvery = 5 * time.Millisecond
	// maxUnderWay bounds the writes that wait: what begins within the client's timeout, and then some.
	maxUnderWay = 4096
	accounts    = 4
)

func accountOf(i int) string { return fmt.Sprintf("probe-%d", i%accounts) }

// write is one credit, as its caller saw it.
type write struct {
	began, ended time.Time
	err          error
}

func (w *write) took() time.Duration { return w.ended.Sub(w.began) }

// probe begins writes until it is closed.
type probe struct {
	client *client.Client
	stop   context.CancelFunc
	ended  sync.WaitGroup

	mu      sync.Mutex
	writes  []write // that have ended
	skipped int     // that were not begun, because too many waited
	changed chan struct{}
}

// startProbe makes the accounts and begins.
func startProbe(ctx context.Context, c *client.Client) (*probe, error) {
	if _, err := c.CreateLedger(ctx, "usd", "USD", 2); err != nil {
		return nil, err
	}
	for i := range accounts {
		if _, err := c.CreateAccount(ctx, accountOf(i), "usd", client.Limits{}); err != nil {
			return nil, err
		}
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &probe{client: c, stop: stop, changed: make(chan struct{})}
	p.ended.Go(func() { p.run(ctx) })
	return p, nil
}

func (p *probe) run(ctx context.Context) {
	room := make(chan struct{}, maxUnderWay)
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		select {
		case room <- struct{}{}:
		default:
			p.mu.Lock()
			p.skipped++
			p.mu.Unlock()
			continue
		}
		p.ended.Go(func() {
			defer func() { <-room }()
			w := write{began: time.Now()}
			_, w.err = p.client.Credit(context.WithoutCancel(ctx), accountOf(i), 1)
			w.ended = time.Now()
			p.note(w)
		})
	}
}

func (p *probe) note(w write) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes = append(p.writes, w)
	close(p.changed)
	p.changed = make(chan struct{})
}

// close ends the beginning of writes and waits for those under way.
func (p *probe) close() {
	p.stop()
	p.ended.Wait()
}

// firstAfter waits for the first write that began after a moment and was acknowledged.
func (p *probe) firstAfter(ctx context.Context, moment time.Time) (time.Time, error) {
	for seen := 0; ; {
		p.mu.Lock()
		fresh, changed := p.writes[seen:], p.changed
		seen = len(p.writes)
		p.mu.Unlock()
		for _, w := range fresh {
			if w.err == nil && w.began.After(moment) {
				return w.ended, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("no write that began after the change was acknowledged: %w", ctx.Err())
		}
	}
}

// slowest write that was under way at any time between two moments. Those that are not over yet do not count.
func (p *probe) slowest(from, to time.Time) (slowest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.writes {
		if w.ended.After(from) && w.began.Before(to) {
			slowest = max(slowest, w.took())
		}
	}
	return slowest
}

// outcome counts what came of all writes, after close.
func (p *probe) outcome() (done, failed int, last error) {
	for _, w := range p.writes {
		if w.err != nil {
			failed, last = failed+1, w.err
		} else {
			done++
		}
	}
	return done, failed, last
}

// balance is what all accounts have together.
func (p *probe) balance(ctx context.Context) (sum int64, err error) {
	for i := range accounts {
		a, err := p.client.Account(ctx, accountOf(i))
		if err != nil {
			return 0, err
		}
		sum += a.Posted
	}
	return sum, nil
}
