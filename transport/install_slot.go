package transport

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errInstallBusy refuses a second transfer at the same time.
var errInstallBusy = errors.New("another snapshot is being received; it ends, or is given up, in time")

// installSlot lets one transfer in at a time. A later one ends the one that is still being received: a term has one leader,
// which makes one call to a member at a time, so that the leader of the earlier one is no more, or gave that call up.
type installSlot struct {
	mu   sync.Mutex
	term uint64
	end  context.CancelCauseFunc
	free chan struct{} // closed when the present one is over; nil: none
}

// take waits for the slot, at most for the given time, and returns what releases it.
func (s *installSlot) take(ctx context.Context, term uint64, end context.CancelCauseFunc, wait time.Duration) (func(), error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		free, ok := s.tryTake(term, end)
		if ok {
			return func() { s.release(free) }, nil
		}
		select {
		case <-free:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-timer.C:
			return nil, errInstallBusy
		}
	}
}

// tryTake returns the channel that is closed when the slot's present owner, perhaps the caller, is done.
func (s *installSlot) tryTake(term uint64, end context.CancelCauseFunc) (free chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free != nil {
		if term >= s.term {
			s.end(errInstallSuperseded)
		}
		return s.free, false
	}
	s.free, s.term, s.end = make(chan struct{}), term, end
	return s.free, true
}

func (s *installSlot) release(free chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = nil
	close(free)
}
