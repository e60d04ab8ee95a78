// Package network is the network between clients and members: it stands before each member as a proxy, and delays
// requests, holds requests or answers while the way is cut, and delivers requests a second time, late.
package network

import (
	"context"
	"sync"
)

// gate lets what comes by pass, or holds it.
type gate struct {
	mu     sync.Mutex
	opened chan struct{} // closed while the gate is open
	shut   bool
}

func newGate() *gate {
	g := &gate{opened: make(chan struct{})}
	close(g.opened)
	return g
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shut {
		g.shut, g.opened = true, make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		g.shut = false
		close(g.opened)
	}
}

// wait returns once the gate is open, or with an error when ctx ends.
func (g *gate) wait(ctx context.Context) error {
	for {
		g.mu.Lock()
		shut, opened := g.shut, g.opened
		g.mu.Unlock()
		if !shut {
			return ctx.Err()
		}
		select {
		case <-opened:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
