package journal

import (
	"errors"
	"fmt"
)

// ErrMissing: the entry lies in a hole. The error is a *MissingError, which names the hole.
var ErrMissing = errors.New("entries of the journal are missing here")

// Hole is a part of the journal that is not here: entries After.Sequence+1 to Until.Sequence.
type Hole struct {
	// After is the end of what precedes it.
	After Position
	// Until is the beginning of what follows it. Its hash proves what the hole is filled with.
	Until Position
}

// Entries is how many are missing.
func (h Hole) Entries() uint64 { return h.Until.Sequence - h.After.Sequence }

// Bytes is their length.
func (h Hole) Bytes() uint64 { return h.Until.Bytes - h.After.Bytes }

// has reports whether the entry of that sequence number is missing.
func (h Hole) has(sequence uint64) bool {
	return h.After.Sequence < sequence && sequence <= h.Until.Sequence
}

// MissingError names the hole that an entry lies in. It is ErrMissing.
type MissingError struct{ Hole Hole }

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("entries %d to %d of the journal are missing here", e.Hole.After.Sequence+1, e.Hole.Until.Sequence)
}

// Is makes it ErrMissing.
func (e *MissingError) Is(target error) bool { return target == ErrMissing }

// Holes are the parts that are not here, oldest first. What a crash tore is among them until Truncate or Place said where
// the owner goes on.
func (j *Journal) Holes() []Hole {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.holes()
}

// holes are derived from where segments begin and end. The caller holds mu.
func (j *Journal) holes() []Hole {
	var list []Hole
	var at Position
	for _, s := range j.segments {
		if from := s.from(); from.Sequence > at.Sequence {
			list = append(list, Hole{After: at, Until: from})
		}
		at = s.until()
	}
	return list
}

// Missing receives a value when there may be a hole that was not there before. One goroutine may listen.
func (j *Journal) Missing() <-chan struct{} { return j.missing }

func (j *Journal) announce() {
	select {
	case j.missing <- struct{}{}:
	default:
	}
}
