package transport

import (
	"testing"
	"time"
)

// handClock is a clock that a test moves.
type handClock struct{ time.Time }

func (c *handClock) now() time.Time { return c.Time }

// TestPace: whoever sends and whenever, no more goes than the rate allows, and what was not used is not made up for.
func TestPace(t *testing.T) {
	start := time.Unix(1_785_000_000, 0)
	clock := &handClock{start}
	p := pace{now: clock.now, limit: 1000}
	for _, step := range []struct {
		at, wait time.Duration
		bytes    int
	}{
		{0, 0, 500},
		{0, 500 * time.Millisecond, 250},
		{100 * time.Millisecond, 650 * time.Millisecond, 1000},
		{10 * time.Second, 0, 1000}, // nothing was saved up
		{10 * time.Second, time.Second, 1},
	} {
		clock.Time = start.Add(step.at)
		if wait := p.delay(step.bytes); wait != step.wait {
			t.Errorf("%d bytes after %v wait %v, want %v", step.bytes, step.at, wait, step.wait)
		}
	}
	if (&pace{now: clock.now}).delay(1<<30) != 0 {
		t.Error("without a rate bytes wait")
	}
	for rate, good := range map[int]bool{0: true, 1 << 20: true, 1000: false, -1: false} {
		c := Config{Timeouts: Timeouts{}.withDefaults()}
		if err := c.checkPace(1, rate); (err == nil) != good {
			t.Errorf("a rate of %d: %v", rate, err)
		}
	}
}

// pacedBytes sends chunks as fast as p lets them through for so long, and returns how many bytes went.
func pacedBytes(p *pace, clock *handClock, length time.Duration) (bytes int) {
	for end := clock.Add(length); clock.Before(end); bytes += chunkBytes {
		// A disk or a network lets through 400 MiB/s.
		clock.Time = clock.Add(p.delay(chunkBytes) + chunkBytes*time.Second/(400<<20))
	}
	return bytes
}

// TestPaceGivesWay: while commits take longer than usual each interval halves the rate, down to the slowest that is no
// standstill; afterwards it comes back step by step to the limit, or to none. In a normal time nothing is held back.
func TestPaceGivesWay(t *testing.T) {
	for name, limit := range map[string]float64{"a limit": 200 << 20, "none": 0} {
		t.Run(name, func(t *testing.T) {
			const slowest = 1 << 20
			clock, busy := &handClock{time.Unix(1_785_000_000, 0)}, 1.0
			p := pace{now: clock.now, busy: func() float64 { return busy }, slowest: slowest, limit: limit}
			free := pacedBytes(&p, clock, 10*time.Second)
			if p.status().Rate != limit {
				t.Fatalf("undisturbed: %+v", p.status())
			}
			busy = 3
			first := pacedBytes(&p, clock, time.Second)
			if first > free/10/2 {
				t.Errorf("in the first second of a disturbance %d bytes went, %d in an undisturbed one", first, free/10)
			}
			pacedBytes(&p, clock, 3*time.Second)
			if last := pacedBytes(&p, clock, 10*time.Second); last > 11*slowest || last < 9*slowest {
				t.Errorf("in ten seconds of a long disturbance %d bytes went, want about %d", last, 10*slowest)
			}
			busy = 1
			second := pacedBytes(&p, clock, time.Second)
			if second > first {
				t.Errorf("in the first second after it %d bytes went at once", second)
			}
			pacedBytes(&p, clock, 10*time.Second)
			if p.status().Rate != limit {
				t.Errorf("ten seconds later: %+v", p.status())
			}
		})
	}
}

// TestPaceKnowsNothingAfterAPause: what is sent in the middle of a disturbance begins slowly.
func TestPaceKnowsNothingAfterAPause(t *testing.T) {
	clock := &handClock{time.Unix(1_785_000_000, 0)}
	p := pace{now: clock.now, busy: func() float64 { return 9 }, slowest: 1 << 20}
	if p.delay(chunkBytes); p.status().Rate != 1<<20 {
		t.Errorf("%+v, want the slowest", p.status())
	}
}

// TestPaceBearsMoments: a disturbance of a second in every ten does not keep the pace near the slowest.
func TestPaceBearsMoments(t *testing.T) {
	clock, busy := &handClock{time.Unix(1_785_000_000, 0)}, 1.0
	p := pace{now: clock.now, busy: func() float64 { return busy }, slowest: 1 << 19, limit: 64 << 20}
	bytes := 0
	for range 10 {
		busy = 3
		bytes += pacedBytes(&p, clock, time.Second)
		busy = 1
		bytes += pacedBytes(&p, clock, 9*time.Second)
	}
	if least := 100 * (64 << 20) / 2; bytes < least {
		t.Errorf("%d MiB went in 100 s, want at least %d: half of the limit", bytes>>20, least>>20)
	}
}

// TestFelt: at the slowest pace, and a while after the last bytes, callers feel nothing.
func TestFelt(t *testing.T) {
	clock, busy := &handClock{time.Unix(1_785_000_000, 0)}, 1.0
	p := pace{now: clock.now, busy: func() float64 { return busy }, slowest: 1 << 20}
	expect := func(what string, want bool) {
		t.Helper()
		if p.felt() != want {
			t.Errorf("%s: felt is %v", what, !want)
		}
	}
	expect("nothing was sent", false)
	pacedBytes(&p, clock, time.Second)
	expect("without a limit", true)
	busy = 9
	pacedBytes(&p, clock, 10*time.Second)
	expect("at the slowest", false)
	busy = 1
	pacedBytes(&p, clock, 10*time.Second)
	expect("free again", true)
	clock.Time = clock.Add(2 * time.Second)
	expect("a while later", false)
}
