package node

import (
	"context"
	"fmt"
	"time"

	"github.com/ballastdb/ballast/transport"
)

// judgeOffer tells what the log and the state say to a snapshot of the leader's. Its index and all before it are committed.
func (n *node) judgeOffer(index, term uint64) (transport.Verdict, error) {
	held, conflict, err := n.log.Holds(index, term)
	if err != nil {
		return transport.Wanted, err
	}
	newest, newestTerm := n.snapshots.NewestSnapshot()
	applied, _ := n.machine.Applied()
	switch {
	case held, newest == index && newestTerm == term:
		return transport.Held, nil
	case applied >= index, newest >= index:
		return transport.Outgrown, nil
	case conflict:
		return transport.Conflicting, nil
	}
	return transport.Wanted, nil
}

// cutLog has this member stop, because its log holds another entry than the leader's snapshot at that index: everything from there
// on never was committed, and raft cannot part with it while it runs. The cut is made when the log is opened again. Only the
// first call does anything.
func (n *node) cutLog(index, term uint64) {
	n.cut.Do(func() {
		if err := n.log.RequestCut(index, term); err != nil {
			n.Logger.Error("the log is in conflict with the leader's snapshot, and that could not be noted", "index", index, "error", err)
			return // a log that cannot be written ends the process by itself
		}
		n.failed <- fmt.Errorf("the log of this member goes another way than the cluster's from index %d on, where the leader's snapshot is of term %d; "+
			"start it again, and it cuts off what was never committed and catches up", index, term)
	})
}

// noteOutgrown remembers that a member needs a newer snapshot than this one, the leader, has.
func (n *node) noteOutgrown() {
	select {
	case n.outgrown <- struct{}{}:
	default: // it is known
	}
}

// newerWithin bounds the wait for a snapshot that a member needs. Raft offers what there is again and again.
const newerWithin = time.Minute

// startTakingNewer takes a snapshot, due or not, where a member is past the newest.
func (n *node) startTakingNewer() error {
	n.undo.pushClose("end taking snapshots that others need", run(func(ctx context.Context) {
		for {
			select {
			case <-n.outgrown:
			case <-ctx.Done():
				return
			}
			n.takeNewer(ctx)
		}
	}))
	return nil
}

func (n *node) takeNewer(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, newerWithin)
	defer cancel()
	index, err := n.cadence.Take(ctx, 0)
	if err != nil {
		n.Logger.Warn("a member needs a newer snapshot, and it could not be taken", "error", err)
		return
	}
	n.Logger.Info("took a snapshot, because a member is past the one before", "index", index)
}

// pinnedFor bounds how long the log is kept for one member that is brought up to date, should nobody let it go.
const pinnedFor = 12 * time.Hour

// pinLog keeps the log from a snapshot's index on until release.
func (n *node) pinLog(index uint64) (release func()) {
	return n.log.Pin(index, time.Now().Add(pinnedFor)).Release
}

// quietWithin bounds the wait for the state machine before a staged snapshot is installed.
const quietWithin = 5 * time.Second

// beforeInstall is called before raft is given a staged snapshot, which it then waits for in its main loop: this member takes no
// snapshot of its own any more, and the queue to the state machine, which comes first, is empty.
func (n *node) beforeInstall(ctx context.Context) (after func(), err error) {
	release, err := n.machine.HoldSnapshots(ctx)
	if err != nil {
		return nil, err
	}
	if err := quiet(ctx, n.queueEmpty); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// queueEmpty reports whether the state machine has nothing to do.
func (n *node) queueEmpty() bool {
	// One batch may have left the queue without having begun; more cannot.
	return n.raft.Stats()["fsm_pending"] == "0" && n.fed.done.Load() == n.fed.begun.Load()
}

// quiet waits until the queue is empty.
func quiet(ctx context.Context, empty func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, quietWithin, fmt.Errorf("the state machine is still busy with its queue after %v; the snapshot stays staged", quietWithin))
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !empty() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
