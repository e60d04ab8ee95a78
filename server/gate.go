package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// retryRoom is the delay that is suggested where disks are low: room is not made in a moment.
const retryRoom = time.Second

// Gate lets calls in until it is closed, once and for ever: the first step of an ordered shutdown. It also keeps a state
// that is not to be trusted from being served.
type Gate struct {
	once sync.Once
	// inside ends when no call is let in any more.
	inside context.Context
	shut   context.CancelFunc

	closed    atomic.Bool
	condemned atomic.Pointer[Failure]
	noWrites  atomic.Pointer[Failure]
	noRoom    atomic.Pointer[Failure]
}

// Close refuses all calls from now on, NOT_DONE. Calls already inside go on, but for those that last until they are ended.
func (g *Gate) Close() {
	g.closed.Store(true)
	g.make()
	g.shut()
}

// make makes what a zero Gate lacks.
func (g *Gate) make() {
	g.once.Do(func() { g.inside, g.shut = context.WithCancel(context.Background()) })
}

// whileOpen is a context of ctx that also ends when no call is let in any more.
func (g *Gate) whileOpen(ctx context.Context) (context.Context, context.CancelFunc) {
	g.make()
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(g.inside, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// Condemn refuses all calls from now on with message, which says why and what to do. Calls already inside get no answer
// that rests on this member's state.
func (g *Gate) Condemn(message string) {
	g.condemned.CompareAndSwap(nil, notDone(codes.Unavailable, message))
	g.make()
	g.shut()
}

// Condemned is the message of Condemn; empty: it was not called.
func (g *Gate) Condemned() string {
	if f := g.condemned.Load(); f != nil {
		return f.Message
	}
	return ""
}

// StopWrites refuses writes with message until AllowWrites. Reads go on.
func (g *Gate) StopWrites(message string) {
	f := notDone(codes.Unavailable, message)
	f.RetryAfter = retrySoon
	g.noWrites.Store(f)
}

// AllowWrites ends StopWrites.
func (g *Gate) AllowWrites() { g.noWrites.Store(nil) }

// StopForRoom refuses writes with message until AllowForRoom, because disks are low. Reads go on.
func (g *Gate) StopForRoom(message string) {
	f := notDone(codes.ResourceExhausted, message)
	f.RetryAfter, f.Reason = retryRoom, ballastv1.Reason_REASON_DISK_LOW
	g.noRoom.Store(f)
}

// AllowForRoom ends StopForRoom.
func (g *Gate) AllowForRoom() { g.noRoom.Store(nil) }

// Closed reports whether no call is let in any more.
func (g *Gate) Closed() bool { return g.closed.Load() || g.condemned.Load() != nil }

// pass is nil while the gate is open.
func (g *Gate) pass() *Failure {
	if failure := g.sound(); failure != nil {
		return failure
	}
	if g.closed.Load() {
		return stopping()
	}
	return nil
}

// passWrite is nil while the gate is open to writes.
func (g *Gate) passWrite() *Failure {
	if failure := g.pass(); failure != nil {
		return failure
	}
	if failure := copied(g.noWrites.Load()); failure != nil {
		return failure
	}
	return copied(g.noRoom.Load())
}

// sound is nil while what was read of the state may be told. Ask it after the reading.
func (g *Gate) sound() *Failure { return copied(g.condemned.Load()) }

// copied is a failure that its caller may add to.
func copied(f *Failure) *Failure {
	if f == nil {
		return nil
	}
	c := *f
	return &c
}
