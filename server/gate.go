package server

import "sync/atomic"

// Gate lets calls in until it is closed, once and for ever: the first step of an ordered shutdown.
type Gate struct{ closed atomic.Bool }

// Close refuses all calls from now on, NOT_DONE. Calls already inside go on.
func (g *Gate) Close() { g.closed.Store(true) }

// Closed reports whether Close was called.
func (g *Gate) Closed() bool { return g.closed.Load() }

// pass is nil while the gate is open.
func (g *Gate) pass() *Failure {
	if g.closed.Load() {
		return stopping()
	}
	return nil
}
