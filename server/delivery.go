package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// delivery sends an export's pieces at the pace of all bulk. While a caller takes nothing for too long a send cannot be ended, but
// what the export costs can: its place goes to the next, and what was kept for it is given up.
type delivery[T any] struct {
	ctx    context.Context // of the call, while the gate is open
	cancel context.CancelFunc
	stream grpc.ServerStreamingServer[T]
	pace   func(context.Context, int) error
	idle   time.Duration
	rows   uint64 // sent

	timer   *time.Timer
	timed   atomic.Bool // the timer ended it
	place   sync.Once
	release func()

	mu     sync.Mutex
	giveUp func()
}

// deliver takes a place for an export. End it.
func deliver[T any](b *Books, stream grpc.ServerStreamingServer[T], places chan struct{}) (*delivery[T], *Failure) {
	select {
	case places <- struct{}{}:
	default:
		f := retryable("this member gives books to others: ask another one, or wait")
		f.Code = codes.ResourceExhausted
		return nil, f
	}
	d := &delivery[T]{stream: stream, pace: b.cfg.Pace, idle: b.cfg.Idle, release: func() { <-places }}
	d.ctx, d.cancel = b.cfg.Gate.whileOpen(stream.Context())
	d.timer = time.AfterFunc(d.idle, d.timeOut)
	return d, nil
}

// onIdle says what ends the reading where the caller takes nothing.
func (d *delivery[T]) onIdle(giveUp func()) {
	d.mu.Lock()
	d.giveUp = giveUp
	d.mu.Unlock()
	if d.timed.Load() {
		giveUp()
	}
}

func (d *delivery[T]) timeOut() {
	d.timed.Store(true)
	d.mu.Lock()
	giveUp := d.giveUp
	d.mu.Unlock()
	if giveUp != nil {
		giveUp()
	}
	d.place.Do(d.release)
}

// idled is an error once the caller took nothing for too long.
func (d *delivery[T]) idled() error {
	if d.timed.Load() {
		return errIdle
	}
	return d.ctx.Err()
}

// goOn is for work without anything to send.
func (d *delivery[T]) goOn() error {
	d.timer.Reset(d.idle)
	return d.idled()
}

// send sends a piece with so many rows.
func (d *delivery[T]) send(piece *T, rows int) error {
	if err := d.idled(); err != nil {
		return err
	}
	if m, ok := any(piece).(proto.Message); ok {
		if err := d.pace(d.ctx, proto.Size(m)); err != nil {
			return err
		}
	}
	d.timer.Reset(d.idle)
	if err := d.stream.Send(piece); err != nil {
		return err
	}
	d.rows += uint64(rows)
	return d.goOn()
}

// end gives the place back.
func (d *delivery[T]) end() {
	d.cancel()
	d.timer.Stop()
	d.place.Do(d.release)
}
