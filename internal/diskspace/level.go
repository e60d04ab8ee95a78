// Package diskspace says how much room a disk has, in levels with hysteresis, and keeps a reserve file that is let go when
// there is none. The README beside it has the levels and what follows from them.
package diskspace

// Level is how much room there is. Higher is worse.
type Level int

// Levels.
const (
	// Unwatched: nobody looks.
	Unwatched Level = iota
	// Ample: enough.
	Ample
	// Low: below Thresholds.Low.
	Low
	// Tight: below half of it.
	Tight
	// Full: below an eighth of it, and the reserve is used up.
	Full
)

// String is the level in a word.
func (l Level) String() string {
	switch l {
	case Ample:
		return "ample"
	case Low:
		return "low"
	case Tight:
		return "tight"
	case Full:
		return "full"
	}
	return "unwatched"
}

// Levels lists those that a watched disk can have.
func Levels() []Level { return []Level{Ample, Low, Tight, Full} }

const (
	// autoLowPart and autoReservePart of the disk are the automatic thresholds, and at most maxAutoLow and maxAutoReserve.
	autoLowPart     = 8
	autoReservePart = 32
	maxAutoLow      = 512 << 20
	maxAutoReserve  = 128 << 20
	// steps of the reserve.
	steps = 4
)

// Auto, as a configured number of bytes, stands for a part of the disk.
const Auto = -1

// Thresholds in bytes.
type Thresholds struct {
	// Low is what is low; 0: nobody looks.
	Low uint64
	// Reserve is what the reserve file is meant to hold; 0: there is none.
	Reserve uint64
}

// Resolve makes thresholds of what is configured for a disk of size bytes.
func Resolve(low, reserve int64, size uint64) Thresholds {
	t := Thresholds{Low: uint64(max(low, 0)), Reserve: uint64(max(reserve, 0))}
	if low == Auto {
		t.Low = min(size/autoLowPart, maxAutoLow)
	}
	if reserve == Auto {
		t.Reserve = min(size/autoReservePart, maxAutoReserve)
	}
	if t.Low == 0 {
		t.Reserve = 0
	}
	return t
}

// Clear is what must be free for the level to be ample again.
func (t Thresholds) Clear() uint64 { return t.Low + t.Low/2 }

// Floor is what the reserve is let go for.
func (t Thresholds) Floor() uint64 { return t.Low / 8 }

// next is the level that follows another where free bytes are free. reserved: the reserve holds something still.
func (t Thresholds) next(now Level, free uint64, reserved bool) Level {
	if t.Low == 0 {
		return Unwatched
	}
	// What free space alone would say on the way down, and on the way up: the latter is the worse or the same.
	down, up := Ample, Ample
	for _, at := range []struct {
		level       Level
		enter, left uint64
	}{
		{Low, t.Low, t.Clear()},
		{Tight, t.Low / 2, t.Low * 3 / 4},
		{Full, t.Floor(), t.Low / 4},
	} {
		if free < at.enter && (at.level != Full || !reserved) {
			down = at.level
		}
		if free < at.left {
			up = at.level
		}
	}
	return max(down, min(now, up))
}
