package diskspace

import (
	"testing"

	"pgregory.net/rapid"
)

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		low, reserve int64
		size         uint64
		want         Thresholds
	}{
		{Auto, Auto, 1 << 40, Thresholds{512 << 20, 128 << 20}},
		{Auto, Auto, 256 << 20, Thresholds{32 << 20, 8 << 20}},
		{0, Auto, 1 << 40, Thresholds{}},
		{1 << 30, 0, 1 << 40, Thresholds{1 << 30, 0}},
		{100, 200, 1000, Thresholds{100, 200}},
	} {
		if got := Resolve(c.low, c.reserve, c.size); got != c.want {
			t.Errorf("Resolve(%d, %d, %d) = %+v, want %+v", c.low, c.reserve, c.size, got, c.want)
		}
	}
}

// The table of the README, walked down and up.
func TestLevelsHaveHysteresis(t *testing.T) {
	th := Thresholds{Low: 800}
	level := Unwatched
	for _, c := range []struct {
		free     uint64
		reserved bool
		want     Level
	}{
		{1000, true, Ample},
		{800, true, Ample},
		{799, true, Low},
		{1199, true, Low}, // it is not left where it was entered
		{1200, true, Ample},
		{399, true, Tight},
		{599, true, Tight},
		{600, true, Low},
		{99, true, Tight}, // the reserve is let go first
		{99, false, Full},
		{199, false, Full},
		{200, false, Tight},
		{50, false, Full},
		{1200, false, Ample},
	} {
		if level = th.next(level, c.free, c.reserved); level != c.want {
			t.Fatalf("at %d free: %v, want %v", c.free, level, c.want)
		}
	}
}

// Whatever came before: below a threshold the level is at least that, and from the place on where a level is left it is less.
func TestLevelsFollowFreeSpace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		th := Thresholds{Low: rapid.Uint64Range(8, 1<<40).Draw(t, "low")}
		level := Unwatched
		for range rapid.IntRange(1, 20).Draw(t, "looks") {
			free := rapid.Uint64Range(0, 2*th.Low).Draw(t, "free")
			before := level
			level = th.next(level, free, rapid.Bool().Draw(t, "reserved"))
			switch {
			case free < th.Low && level < Low, free < th.Low/2 && level < Tight:
				t.Fatalf("%d of %d free: %v", free, th.Low, level)
			case free >= th.Clear() && level != Ample:
				t.Fatalf("%d of %d free: %v", free, th.Low, level)
			case free >= th.Low && before <= Ample && level != Ample:
				t.Fatalf("from %v with %d of %d free: %v", before, free, th.Low, level)
			}
			if th.next(level, free, true) > level {
				t.Fatalf("at %d free the level rises by looking again", free)
			}
		}
	})
}
