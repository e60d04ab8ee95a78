package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// livenessTick is how often the pulse is felt, and how long an answer may take.
	livenessTick = 5 * time.Second
	// livenessLimit without a good answer is a process that hangs. Far above what a stalled disk takes: who is told so kills it.
	livenessLimit = 30 * time.Second
)

// liveness remembers when the member's pulse was last felt, for those who ask by HTTP. The service manager's watchdog asks
// by itself.
type liveness struct {
	alive       func(ctx context.Context) error
	logger      hclog.Logger
	tick, limit time.Duration

	mu      sync.Mutex
	last    time.Time // when all was well
	problem error     // since then
}

func newLiveness(p *pulse, logger hclog.Logger) *liveness {
	return &liveness{alive: p.alive, logger: logger, tick: livenessTick, limit: livenessLimit, last: time.Now()}
}

func (l *liveness) run(ctx context.Context) {
	ticker := time.NewTicker(l.tick)
	defer ticker.Stop()
	for {
		l.feel(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (l *liveness) feel(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.tick)
	defer cancel()
	err := l.alive(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.problem = err; err == nil {
		l.last = time.Now()
	}
}

// problems say why the process counts as hanging; nothing: it lives.
func (l *liveness) problems() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	silent := time.Since(l.last)
	if l.problem == nil || silent < l.limit {
		return nil
	}
	problem := fmt.Sprintf("%v, for %s: the process hangs; starting it again is safe", l.problem, silent.Round(time.Second))
	l.logger.Error("the process hangs", "reason", l.problem, "for", silent.Round(time.Second).String())
	return []string{problem}
}
