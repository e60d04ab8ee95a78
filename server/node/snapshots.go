package node

import (
	"context"
	"fmt"
	"time"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/guard"
	"github.com/ballastdb/ballast/internal/pace"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/marks"
	"github.com/ballastdb/ballast/snapshots"
)

// guardOwnSnapshot is the guard of an UPSTREAM row.
const guardOwnSnapshot guard.Name = "#248"

// openSnapshots opens the snapshots, and sees that the log goes on where the newest ends. It needs the state machine,
// which takes in those of other members.
func (n *node) openSnapshots() error {
	store, err := snapshots.Open(vfs.OS{}, n.dir.Snapshots())
	if err != nil {
		return fmt.Errorf("open the snapshots: %w", err)
	}
	n.undo.pushClose("close the snapshots", store.Close)
	n.snapshots = snapshots.NewRaftStore(snapshots.RaftConfig{
		Store: store, Owner: stateOwner{n.machine}, Admit: n.admitInstall, Damaged: n.foundDamaged,
		Pace: n.paceSnapshots(), Logger: n.Logger.Named("snapshots"), Fatal: n.Fatal,
	})
	n.undo.pushClose("drop the staged snapshot", n.snapshots.Close)
	n.attachLog()
	return reconcile(n.log, n.snapshots, n.Logger.Named("log"))
}

// Rates of writing this member's own snapshots, bytes a second: it begins with so much, and with callers who feel it always keeps
// so much, which a disk hardly notices and which bounds how long the largest state takes; undisturbed it gains so much in each
// of a second's four intervals.
const (
	snapshotStart = 32 << 20
	snapshotFloor = 16 << 20
	snapshotStep  = 4 << 20
	// snapshotSlack is what a writer that is awoken late may make up for: on a machine in distress it always is.
	snapshotSlack = 100 * time.Millisecond
)

// paceSnapshots has snapshots of this member's own give way to callers. A wait is short, because of the floor: whoever waits asks
// afterwards whether it is still to go on.
func (n *node) paceSnapshots() func(bytes int) {
	n.strain = newStrain(n.commits.read, n.logWrites, func() bool { return n.machine.Snapshotting() || n.transport.Felt() })
	p := pace.New(pace.Config{Busy: n.strain.busy, Floor: snapshotFloor, Start: snapshotStart, Step: snapshotStep, Slack: snapshotSlack})
	return func(bytes int) { _ = p.Wait(context.Background(), bytes) } // which does not end
}

// startSnapshots takes a snapshot at every mark. It ends only after raft, which answers it at its shutdown at the latest; what
// it is writing ends with the state machine.
func (n *node) startSnapshots() {
	n.snapshotter = marks.NewSnapshotter(marks.SnapshotterConfig{
		Machine: n.machine, Store: n.snapshots, Raft: n.raft, Room: n.roomForSnapshot, Logger: n.Logger.Named("snapshots"),
	})
	n.undo.pushClose("end taking snapshots", run(n.snapshotter.Run))
}

// startMarking commits marks while this member leads.
func (n *node) startMarking() {
	n.cadence = marks.NewCadence(marks.CadenceConfig{
		Leading: func() bool { return n.leading() && n.machine.MarkerTerm() == n.raft.CurrentTerm() },
		Weight:  n.machine.Weight, Settings: n.machine.Upkeep, Propose: n.proposer.Mark, Taken: n.snapshotter.Taken,
		Members: n.marking,
		Logger:  n.Logger.Named("marks"),
	})
	n.undo.pushClose("end committing marks", run(n.cadence.Run))
}

// admitInstall refuses a snapshot from the leader that would take something away. It runs on raft's own goroutine, so that
// the log does not change meanwhile. A snapshot of this member's own counts as being taken until raft has noted its index:
// noted after a newer one was installed, it would make raft's last index go backwards.
func (n *node) admitInstall(index, term uint64) error {
	if err := n.beyondLog(index, term); err != nil {
		return err
	}
	if n.machine.Snapshotting() && guard.On(guardOwnSnapshot) {
		return fmt.Errorf("the snapshot of index %d, term %d is not installed while this member takes one of its own", index, term)
	}
	return nil
}

// beyondLog refuses a snapshot that ends within the log.
func (n *node) beyondLog(index, term uint64) error {
	last, err := n.cache.LastIndex()
	if err != nil {
		return fmt.Errorf("read the raft log: %w", err)
	}
	if last >= index {
		return fmt.Errorf("the snapshot of index %d, term %d is not installed over a log that goes to %d: entries in it may be acknowledged", index, term, last)
	}
	return nil
}

// stateOwner is what the state machine is to the snapshots.
type stateOwner struct{ machine *fsm.FSM }

// Receive implements snapshots.Owner.
func (o stateOwner) Receive(meta []byte, digest page.Digest) (snapshots.Receiver, error) {
	r, err := o.machine.Receive(meta, digest)
	if err != nil {
		return nil, err
	}
	return r, nil
}
