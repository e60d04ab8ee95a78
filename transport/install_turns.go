package transport

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

var (
	// errInstallTurn ends a transfer that waited too long for others to end.
	errInstallTurn = errors.New("snapshot transfer not begun: others took too long")
	// errInstallStale ends a transfer before it begins; raft opens the newest snapshot then.
	errInstallStale = errors.New("snapshot transfer not begun: there is a newer snapshot by now")
	// errInstallTerm ends a transfer of a leader that is none any more.
	errInstallTerm = errors.New("snapshot transfer ended: the term is over")
)

// installTurns bounds how many snapshots are sent at once. Who waits costs a goroutine of raft's and nothing else: nothing is
// read or sent, and heartbeats go on beside it.
type installTurns chan struct{}

// take waits for a turn, at most for the given time, and returns what ends it.
func (t installTurns) take(ctx context.Context, limit time.Duration) (done func(), err error) {
	done = func() { <-t }
	select {
	case t <- struct{}{}:
		return done, nil
	default:
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case t <- struct{}{}:
		return done, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-timer.C:
		return nil, errInstallTurn
	}
}

// turn waits until a snapshot may be sent, and ends what is of no use by then.
func (t *Transport) turn(ctx context.Context, r *raft.InstallSnapshotRequest) (done func(), err error) {
	done, err = t.turns.take(ctx, t.config.Timeouts.InstallTurn)
	if err != nil {
		return nil, err
	}
	if err = t.leads(r.Term); err == nil {
		err = t.isNewest(r.LastLogIndex)
	}
	if err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// leads is an error once this member does not lead the term any more.
func (t *Transport) leads(term uint64) error {
	if now := t.config.CurrentTerm(); now > term {
		return fmt.Errorf("%w: it was %d and is %d", errInstallTerm, term, now)
	}
	if !t.config.Leading(term) {
		return fmt.Errorf("%w: this member stepped down in term %d", errInstallTerm, term)
	}
	return nil
}

func (t *Transport) isNewest(index uint64) error {
	if newest := t.config.NewestSnapshot(); newest > index {
		return fmt.Errorf("%w: it is of index %d and the newest of %d", errInstallStale, index, newest)
	}
	return nil
}

// pace keeps all transfers together below a rate. What is not used is not saved up.
type pace struct {
	rate float64 // bytes a second; 0: no limit

	mu   sync.Mutex
	next time.Time // when the next bytes may go
}

// delay is how long bytes that are to go now have to wait; they count as gone then.
func (p *pace) delay(now time.Time, bytes int) time.Duration {
	if p.rate == 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.Before(now) {
		p.next = now
	}
	wait := p.next.Sub(now)
	p.next = p.next.Add(time.Duration(float64(bytes) / p.rate * float64(time.Second)))
	return wait
}

// wait waits until so many bytes may go.
func (p *pace) wait(ctx context.Context, bytes int) error {
	wait := p.delay(time.Now(), bytes)
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
