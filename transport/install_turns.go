package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ballastdb/ballast/internal/guard"
)

var (
	// errInstallTurn ends a transfer that waited too long for others to end.
	errInstallTurn = errors.New("snapshot transfer not begun: others took too long")
	// errInstallStale ends a transfer before it begins; raft opens the newest snapshot then.
	errInstallStale = errors.New("snapshot transfer not begun: there is a newer snapshot by now")
	// errInstallTerm ends a transfer of a leader that is none any more.
	errInstallTerm = errors.New("snapshot transfer ended: the term is over")
	// errInstallYield ends a transfer in favour of a voter that the majority needs.
	errInstallYield = errors.New("snapshot transfer interrupted: a voter without which nothing is committed comes first; it is gone on with afterwards")
)

// installTurns bounds how many snapshots are on their way at once. The more urgent come first, and those alike in order. Who
// waits costs a goroutine of raft's and nothing else: nothing is read or sent, and heartbeats go on beside it. Where a
// needed one would have to wait, one that is less urgent gives up its turn.
type installTurns struct {
	mu      sync.Mutex
	most    int
	taken   []*installTurn
	waiting []*installTurn // in the order in which they came
}

// installTurn is one transfer's; mu of its installTurns guards it, but for come.
type installTurn struct {
	urgency urgency
	// come is closed, and the turn is among those taken, when it has come.
	come chan struct{}
	// yield has the transfer end, so that another takes the turn. It does not wait.
	yield    func()
	yielding bool
}

// set changes how many there are. Those that are taken stay so.
func (t *installTurns) set(most int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.most = most
	t.next()
}

// next gives free turns to those that wait, and has one given up where a needed one still waits. The caller holds mu.
func (t *installTurns) next() {
	for len(t.waiting) > 0 && len(t.taken) < t.most {
		first := t.first()
		t.waiting = slices.DeleteFunc(t.waiting, func(w *installTurn) bool { return w == first })
		t.taken = append(t.taken, first)
		close(first.come)
	}
	if len(t.waiting) == 0 || t.first().urgency < needed {
		return
	}
	least := slices.MinFunc(t.taken, func(a, b *installTurn) int { return int(a.urgency - b.urgency) })
	if least.urgency < needed && !least.yielding {
		least.yielding = true
		least.yield()
	}
}

// first is who is served first of those that wait, of which there are some. The caller holds mu.
func (t *installTurns) first() *installTurn {
	return slices.MaxFunc(t.waiting, func(a, b *installTurn) int { return int(a.urgency - b.urgency) })
}

func (t *installTurns) enter(u urgency, yield func()) *installTurn {
	t.mu.Lock()
	defer t.mu.Unlock()
	turn := &installTurn{urgency: u, come: make(chan struct{}), yield: yield}
	t.waiting = append(t.waiting, turn)
	t.next()
	return turn
}

// judge changes how urgent a transfer is, which waits or has its turn.
func (t *installTurns) judge(turn *installTurn, u urgency) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if turn.urgency != u {
		turn.urgency = u
		t.next()
	}
}

// leave gives up a turn, or the wait for it.
func (t *installTurns) leave(turn *installTurn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	is := func(w *installTurn) bool { return w == turn }
	t.waiting, t.taken = slices.DeleteFunc(t.waiting, is), slices.DeleteFunc(t.taken, is)
	t.next()
}

// take waits for a turn, at most for the given time, and looks all the while how urgent it is. yield is called, once and without
// waiting for it, where the turn is to be given up.
func (t *installTurns) take(ctx context.Context, limit time.Duration, urgent func() urgency, yield func()) (*installTurn, error) {
	turn := t.enter(urgent(), yield)
	timer, tick := time.NewTimer(limit), time.NewTicker(termCheck)
	defer timer.Stop()
	defer tick.Stop()
	for {
		var err error
		select {
		case <-turn.come:
			return turn, nil
		case <-tick.C:
			t.judge(turn, urgent())
			continue
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-timer.C:
			err = errInstallTurn
		}
		t.leave(turn)
		return nil, err
	}
}

// takeTurn waits until a snapshot may be sent, and ends what is of no use by then. done gives the turn back.
func (s *sending) takeTurn() (done func(), err error) {
	t := s.peer.transport
	s.turn, err = t.turns.take(s.ctx, t.config.Timeouts.InstallTurn, s.urgency, func() { s.end(errInstallYield) })
	if err != nil {
		return nil, err
	}
	done = sync.OnceFunc(func() { t.turns.leave(s.turn) })
	if err = s.awaitOthers(); err == nil {
		err = t.leads(s.args.Term)
	}
	if err == nil {
		err = t.isNewest(s.args.LastLogIndex)
	}
	if err != nil {
		done()
		return nil, err
	}
	return done, nil
}

func (s *sending) urgency() urgency {
	return s.peer.transport.urgencyOf(s.peer.id, s.args, time.Now())
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
