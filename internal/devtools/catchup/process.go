package catchup

import (
	"context"
	"sync"
	"time"

	"github.com/ballastdb/ballast/internal/procstat"
)

// anonymous is the resident memory of a process that no file backs, in bytes.
func anonymous(pid int) (int64, error) { return procstat.Field(pid, "status", "RssAnon") }

// memorySampler watches the anonymous memory of one process until it is stopped.
type memorySampler struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	most int64
}

const sampleEvery = 200 * time.Millisecond

func watchMemory(pid int) *memorySampler {
	ctx, cancel := context.WithCancel(context.Background())
	s := &memorySampler{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		ticker := time.NewTicker(sampleEvery)
		defer ticker.Stop()
		for {
			// A process that has ended has no more memory to tell of.
			if now, err := anonymous(pid); err == nil {
				s.mu.Lock()
				s.most = max(s.most, now)
				s.mu.Unlock()
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return s
}

// stop ends the watch and answers the most that was seen.
func (s *memorySampler) stop() int64 {
	s.cancel()
	<-s.done
	return s.most
}
