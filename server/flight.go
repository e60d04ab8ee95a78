package server

import (
	"context"
	"sync"
)

// flight counts the proposals that are being made or are with raft, lets at most max at once, and can hold new ones.
//
//	0 <= active <= max
type flight struct {
	max int

	mu     sync.Mutex
	active int
	holds  int
	// changed is closed and replaced whenever a waiter may have something to see.
	changed chan struct{}
}

func newFlight(limit int) *flight { return &flight{max: limit, changed: make(chan struct{})} }

// enter waits for its turn. It returns false, having taken none, when closing is closed.
func (f *flight) enter(closing <-chan struct{}) bool {
	for {
		f.mu.Lock()
		if f.holds == 0 && f.active < f.max {
			f.active++
			f.mu.Unlock()
			return true
		}
		changed := f.changed
		f.mu.Unlock()
		select {
		case <-changed:
		case <-closing:
			return false
		}
	}
}

// leave ends what enter began.
func (f *flight) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active--
	f.broadcast()
}

// hold lets nobody enter until release is called, once or more often.
func (f *flight) hold() (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holds++
	var once sync.Once
	return func() {
		once.Do(func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.holds--
			f.broadcast()
		})
	}
}

// idle waits until nothing is in flight.
func (f *flight) idle(ctx context.Context) error {
	for {
		f.mu.Lock()
		active, changed := f.active, f.changed
		f.mu.Unlock()
		if active == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *flight) load() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.active
}

func (f *flight) broadcast() {
	close(f.changed)
	f.changed = make(chan struct{})
}
