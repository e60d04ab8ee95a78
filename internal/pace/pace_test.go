package pace

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
	p := New(Config{Now: clock.now, Limit: 1000})
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
	if New(Config{Now: clock.now}).delay(1<<30) != 0 {
		t.Error("without a rate bytes wait")
	}
}

// TestPaceMakesUpForLateAwakenings, and not for more than its slack.
func TestPaceMakesUpForLateAwakenings(t *testing.T) {
	start := time.Unix(1_785_000_000, 0)
	clock := &handClock{start}
	p := New(Config{Now: clock.now, Limit: 1000, Slack: 100 * time.Millisecond})
	p.delay(1)
	clock.Time = start.Add(time.Minute)
	sent := 0
	for end := clock.Add(time.Second); clock.Before(end); sent += 10 {
		clock.Time = clock.Add(p.delay(10) + 3*time.Millisecond) // each awakening is late
	}
	if sent < 1050 || sent > 1150 {
		t.Errorf("in a second %d bytes went, want 1000 and a tenth", sent)
	}
}

// piece is what goes at once.
const piece = 64 << 10

// pacedBytes sends chunks as fast as p lets them through for so long, and returns how many bytes went.
func pacedBytes(p *Pace, clock *handClock, length time.Duration) (bytes int) {
	for end := clock.Add(length); clock.Before(end); bytes += piece {
		// A disk or a network lets through 400 MiB/s.
		clock.Time = clock.Add(p.delay(piece) + piece*time.Second/(400<<20))
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
			p := New(Config{Now: clock.now, Busy: func() float64 { return busy }, Floor: slowest, Limit: limit})
			free := pacedBytes(p, clock, 10*time.Second)
			if p.Status().Rate != limit {
				t.Fatalf("undisturbed: %+v", p.Status())
			}
			busy = 3
			first := pacedBytes(p, clock, time.Second)
			if first > free/10/2 {
				t.Errorf("in the first second of a disturbance %d bytes went, %d in an undisturbed one", first, free/10)
			}
			pacedBytes(p, clock, 3*time.Second)
			if last := pacedBytes(p, clock, 10*time.Second); last > 11*slowest || last < 9*slowest {
				t.Errorf("in ten seconds of a long disturbance %d bytes went, want about %d", last, 10*slowest)
			}
			busy = 1
			second := pacedBytes(p, clock, time.Second)
			if second > first {
				t.Errorf("in the first second after it %d bytes went at once", second)
			}
			pacedBytes(p, clock, 2*time.Minute)
			if p.Status().Rate != limit {
				t.Errorf("two minutes later: %+v", p.Status())
			}
		})
	}
}

// TestPaceKnowsNothingAfterAPause: what is sent in the middle of a disturbance begins slowly.
func TestPaceKnowsNothingAfterAPause(t *testing.T) {
	clock := &handClock{time.Unix(1_785_000_000, 0)}
	p := New(Config{Now: clock.now, Busy: func() float64 { return 9 }, Floor: 1 << 20})
	if p.delay(piece); p.Status().Rate != 1<<20 {
		t.Errorf("%+v, want the slowest", p.Status())
	}
}

// TestPaceStartsSlowly: where a start is set, what was at rest begins with that and doubles while nobody feels it; once somebody
// has it comes back in steps. The same after each rest.
func TestPaceStartsSlowly(t *testing.T) {
	const start, step, floor = 16 << 20, 4 << 20, 8 << 20
	clock, busy := &handClock{time.Unix(1_785_000_000, 0)}, 1.0
	p := New(Config{Now: clock.now, Busy: func() float64 { return busy }, Floor: floor, Start: start, Step: step})
	for range 2 {
		var rates []float64
		interval := func() {
			for end := clock.Add(Interval); clock.Before(end); {
				clock.Time = clock.Add(p.delay(piece) + time.Millisecond/8)
			}
			rates = append(rates, p.Status().Rate)
		}
		for range 3 {
			interval()
		}
		busy = 2
		interval()
		busy = 1
		interval()
		interval()
		slow, fast := rates[0], rates[2]
		if slow != start || fast != 4*start {
			t.Errorf("it began with %.0f and went on to %.0f bytes a second, want %d and %d", slow, fast, start, 4*start)
		}
		if felt := rates[3]; felt > fast/2 || felt < fast/4 {
			t.Errorf("felt, it went from %.0f to %.0f bytes a second, want half", fast, felt)
		}
		if gained := rates[5] - rates[4]; gained != step {
			t.Errorf("not felt any more, it gained %.0f bytes a second in an interval, want %d", gained, step)
		}
		clock.Time = clock.Add(time.Minute)
	}
}

// TestPaceBearsMoments: where it grows by a share, a disturbance of a second in every ten does not keep it near the floor.
func TestPaceBearsMoments(t *testing.T) {
	clock, busy := &handClock{time.Unix(1_785_000_000, 0)}, 1.0
	p := New(Config{Now: clock.now, Busy: func() float64 { return busy }, Floor: 1 << 19, Limit: 64 << 20, Growth: 0.25})
	bytes := 0
	for range 10 {
		busy = 3
		bytes += pacedBytes(p, clock, time.Second)
		busy = 1
		bytes += pacedBytes(p, clock, 9*time.Second)
	}
	if least := 100 * (64 << 20) / 2; bytes < least {
		t.Errorf("%d MiB went in 100 s, want at least %d: half of the limit", bytes>>20, least>>20)
	}
}

// TestFelt: at the floor, and a while after the last bytes, callers feel nothing.
func TestFelt(t *testing.T) {
	clock, busy := &handClock{time.Unix(1_785_000_000, 0)}, 1.0
	p := New(Config{Now: clock.now, Busy: func() float64 { return busy }, Floor: 1 << 20, Growth: 0.25})
	expect := func(what string, want bool) {
		t.Helper()
		if p.Felt() != want {
			t.Errorf("%s: felt is %v", what, !want)
		}
	}
	expect("nothing was sent", false)
	pacedBytes(p, clock, time.Second)
	expect("without a limit", true)
	busy = 9
	pacedBytes(p, clock, 10*time.Second)
	expect("at the floor", false)
	busy = 1
	pacedBytes(p, clock, 10*time.Second)
	expect("free again", true)
	clock.Time = clock.Add(2 * time.Second)
	expect("a while later", false)
}
