package server

import "sync"

// Stamper gives proposals their time. Stamps never go backwards, whatever the clock does.
type Stamper struct {
	clock Clock
	mu    sync.Mutex
	last  int64
}

// NewStamper returns a Stamper on clock.
func NewStamper(clock Clock) *Stamper { return &Stamper{clock: clock} }

// Stamp returns the clock's time in Unix nanoseconds, or the last stamp where the clock is behind it.
func (s *Stamper) Stamp() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, s.clock().UnixNano())
	return s.last
}
