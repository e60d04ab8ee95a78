package importer

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// maxBurst is how much of the time in which no row could be sent is made up for at once. As much again may be under way,
// so that a fail-over is followed by a second's worth of rows at most.
const maxBurst = 500 * time.Millisecond

// pace holds all lanes together to a number of rows a second. It is a token bucket, kept as the time at which the next
// row is due, beside a bound of the rows under way: those that wait for a leader would all arrive at once.
type pace struct {
	every    time.Duration // between two rows
	most     int           // rows under way
	underWay *semaphore.Weighted

	mu   sync.Mutex
	next time.Time
}

// newPace is nil, which lets everything through, where there is no limit.
func newPace(rate float64) *pace {
	if rate <= 0 {
		return nil
	}
	most := max(1, int(rate*maxBurst.Seconds()))
	return &pace{every: time.Duration(float64(time.Second) / rate), most: most, underWay: semaphore.NewWeighted(int64(most))}
}

// batch is how many rows one call may have.
func (p *pace) batch() int {
	if p == nil {
		return batchRows
	}
	return min(batchRows, p.most)
}

// enter waits until rows, at most batch of them, may be sent. leave follows when they were answered.
func (p *pace) enter(ctx context.Context, rows int) (leave func(), err error) {
	if p == nil {
		return func() {}, nil
	}
	if err := p.underWay.Acquire(ctx, int64(rows)); err != nil {
		return nil, err
	}
	leave = func() { p.underWay.Release(int64(rows)) }
	timer := time.NewTimer(p.take(time.Now(), rows))
	defer timer.Stop()
	select {
	case <-timer.C:
		return leave, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

// take takes the turns of the next rows and tells how long the last of them has to wait.
func (p *pace) take(now time.Time, rows int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch earliest := now.Add(-maxBurst); {
	case p.next.IsZero():
		p.next = now
	case p.next.Before(earliest):
		p.next = earliest
	}
	last := p.next.Add(time.Duration(rows-1) * p.every)
	p.next = last.Add(p.every)
	return last.Sub(now)
}
