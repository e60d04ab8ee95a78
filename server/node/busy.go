package node

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

const (
	// busyWindow is what latencies are averaged over.
	busyWindow = time.Second
	// felt is the latency below which nobody feels a multiple of it.
	felt = 2 * time.Millisecond
	// learnIdle and learnSending are the share of a window in what is usual, while next to nothing is sent to members that catch up
	// and while more is: what a transfer does to callers must not soon become what is usual. A load that only changed holds
	// it up for some seconds: at the slowest pace callers do not feel the transfer, and what they wait then is the usual.
	learnIdle, learnSending = 0.1, 0.005
)

// latency tells how many times its usual something takes now.
type latency struct {
	// read is how often it was done so far, and how long that took together.
	read func() (count uint64, total time.Duration)
	// sending reports whether so much is being sent to members that catch up that it may be felt.
	sending func() bool

	// Only the goroutine that samples touches these.
	count uint64
	total time.Duration
	usual float64 // seconds; 0: not known

	ratio atomic.Uint64 // bits of a float64
}

// sample ends a window.
func (l *latency) sample() {
	count, total := l.read()
	done, took := count-l.count, total-l.total
	l.count, l.total = count, total
	if done == 0 {
		l.ratio.Store(math.Float64bits(1)) // nobody waits
		return
	}
	now := max(took.Seconds()/float64(done), felt.Seconds())
	if l.usual == 0 {
		l.usual = now
	}
	l.ratio.Store(math.Float64bits(now / l.usual))
	learn := learnIdle
	if l.sending() {
		learn = learnSending
	}
	l.usual += learn * (now - l.usual)
}

func (l *latency) busy() float64 { return math.Float64frombits(l.ratio.Load()) }

// sampleEach samples until ctx ends.
func sampleEach(ctx context.Context, all ...*latency) {
	tick := time.NewTicker(busyWindow)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, l := range all {
				l.sample()
			}
		case <-ctx.Done():
			return
		}
	}
}

// tally counts how often something was done, and how long it took.
type tally struct{ count, total atomic.Uint64 }

func (t *tally) add(took time.Duration) {
	t.total.Add(uint64(max(took, 0)))
	t.count.Add(1)
}

func (t *tally) read() (count uint64, total time.Duration) {
	return t.count.Load(), time.Duration(t.total.Load()) //nolint:gosec // a sum of durations
}
