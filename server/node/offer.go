package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/transport"
)

// judgeOffer tells what the log and the state say to a snapshot of the leader's. Its index and all before it are committed.
func (n *node) judgeOffer(index, term uint64) (transport.Verdict, error) {
	held, conflict, err := holds(n.cache, index, term)
	if err != nil {
		return transport.Wanted, err
	}
	newest, err := n.newestSnapshot()
	if err != nil {
		return transport.Wanted, err
	}
	applied, _ := n.machine.Applied()
	switch {
	case held, newest.Index == index && newest.Term == term:
		return transport.Held, nil
	case applied >= index, newest.Index >= index:
		return transport.Outgrown, nil
	case conflict:
		return transport.Conflicting, nil
	}
	return transport.Wanted, nil
}

// holds tells whether a log has the entry of that index and term, or one of another term there.
func holds(log raft.LogStore, index, term uint64) (held, conflict bool, err error) {
	first, err := log.FirstIndex()
	if err != nil {
		return false, false, fmt.Errorf("read the raft log: %w", err)
	}
	last, err := log.LastIndex()
	if err != nil {
		return false, false, fmt.Errorf("read the raft log: %w", err)
	}
	if last == 0 || index < first || index > last {
		return false, false, nil
	}
	var entry raft.Log
	err = log.GetLog(index, &entry)
	if errors.Is(err, raft.ErrLogNotFound) {
		return false, false, nil // it was deleted meanwhile
	}
	if err != nil {
		return false, false, fmt.Errorf("read the raft log: %w", err)
	}
	return entry.Term == term, entry.Term != term, nil
}

// newestSnapshot is empty where there is none.
func (n *node) newestSnapshot() (raft.SnapshotMeta, error) {
	list, err := n.snapshots.List()
	if err != nil || len(list) == 0 {
		return raft.SnapshotMeta{}, err
	}
	return *list[0], nil
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
