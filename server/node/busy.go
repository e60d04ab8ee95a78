package node

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/ballastdb/ballast/internal/pace"
)

const (
	// busyTick is how often latencies are looked at, as often as a pace asks. A window ends when busyEnough were measured in it,
	// or after busyTicks.
	busyTick   = pace.Interval
	busyEnough = 8
	busyTicks  = 4
	// felt is the latency below which nobody feels a multiple of it.
	felt = 2 * time.Millisecond
	// learnIdle and learnBulk are the share of a tick in what is usual, while there is no bulk work that could be felt and while
	// there is: what a transfer or a snapshot does to callers must not soon become what is usual. A load that only changed
	// holds a transfer up for some seconds: at its slowest nobody feels it, and what callers wait then is the usual.
	learnIdle, learnBulk = 0.025, 0.00125
)

// strain is what this member's bulk work, sending to members that catch up and writing snapshots, must not raise: how long
// commits take, and writes of the log.
type strain struct{ commits, writes latency }

// newStrain measures by what two counters say. bulk reports whether bulk work is under way.
func newStrain(commits, writes func() (uint64, time.Duration), bulk func() bool) *strain {
	return &strain{commits: latency{read: commits, bulk: bulk}, writes: latency{read: writes, bulk: bulk}}
}

// busy is how many times its usual the worse of them takes now.
func (s *strain) busy() float64 { return max(s.commits.busy(), s.writes.busy()) }

// run samples until ctx ends.
func (s *strain) run(ctx context.Context) {
	tick := time.NewTicker(busyTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.commits.tick()
			s.writes.tick()
		case <-ctx.Done():
			return
		}
	}
}

// latency tells how many times its usual something takes now.
type latency struct {
	// read is how often it was done so far, and how long that took together.
	read func() (count uint64, total time.Duration)
	bulk func() bool

	// Only the goroutine that samples touches these.
	count uint64
	total time.Duration
	ticks float64 // of the present window
	usual float64 // seconds; 0: not known

	ratio atomic.Uint64 // bits of a float64; 0: not known yet
}

// tick looks at the window, and ends it where it tells something.
func (l *latency) tick() {
	count, total := l.read()
	done, took := count-l.count, total-l.total
	if l.ticks++; done < busyEnough && l.ticks < busyTicks {
		return
	}
	ticks := l.ticks
	l.count, l.total, l.ticks = count, total, 0
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
	if l.bulk() {
		learn = learnBulk
	}
	l.usual += learn * ticks * (now - l.usual)
}

func (l *latency) busy() float64 { return math.Float64frombits(l.ratio.Load()) }

// tally counts how often something was done, and how long it took.
type tally struct{ count, total atomic.Uint64 }

func (t *tally) add(took time.Duration) {
	t.total.Add(uint64(max(took, 0)))
	t.count.Add(1)
}

func (t *tally) read() (count uint64, total time.Duration) {
	return t.count.Load(), time.Duration(t.total.Load()) //nolint:gosec // a sum of durations
}
