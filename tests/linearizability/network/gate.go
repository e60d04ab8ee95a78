// Package network stands between the members of a cluster, and between clients and members, and does what networks do:
// cuts one way or both ways, delays, and delivers a request twice.
package network

import (
	"context"
	"sync"
)

// gate lets bytes of one direction pass, or holds them.
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

// wait returns once the gate is open, or ctx ends.
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
