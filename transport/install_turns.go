package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/guard"
)

var (
	// errInstallTurn ends a transfer that waited too long for others to end.
	errInstallTurn = errors.New("snapshot transfer not begun: others took too long")
	// errInstallStale ends a transfer before it begins; raft opens the newest snapshot then.
	errInstallStale = errors.New("snapshot transfer not begun: there is a newer snapshot by now")
	// errInstallTerm ends a transfer of a leader that is none any more.
	errInstallTerm = errors.New("snapshot transfer ended: the term is over")
)

// installTurns bounds how many snapshots are on their way at once; turns come in order. Who waits costs a goroutine of raft's
// and nothing else: nothing is read or sent, and heartbeats go on beside it.
type installTurns struct {
	mu      sync.Mutex
	most    int
	taken   int
	waiting []chan struct{} // closed, and no longer here, when its turn has come
}

// set changes how many there are. Those that are taken stay so.
func (t *installTurns) set(most int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.most = most
	t.next()
}

// next gives free turns to those that wait. The caller holds mu.
func (t *installTurns) next() {
	for len(t.waiting) > 0 && t.taken < t.most {
		t.taken++
		close(t.waiting[0])
		t.waiting = t.waiting[1:]
	}
}

func (t *installTurns) enter() chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	turn := make(chan struct{})
	t.waiting = append(t.waiting, turn)
	t.next()
	return turn
}

// leave gives up a turn, or the wait for it.
func (t *installTurns) leave(turn chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting, turn); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
		return
	}
	t.taken--
	t.next()
}

// take waits for a turn, at most for the given time, and returns what ends it.
func (t *installTurns) take(ctx context.Context, limit time.Duration) (done func(), err error) {
	turn := t.enter()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-turn:
		return sync.OnceFunc(func() { t.leave(turn) }), nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-timer.C:
		err = errInstallTurn
	}
	t.leave(turn)
	return nil, err
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
	if !guard.On(guardInstallTerm) {
		return nil
	}
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
