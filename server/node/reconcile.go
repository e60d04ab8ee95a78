package node

import (
	"fmt"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// emptiable is what reconcile needs of the log.
type emptiable interface {
	FirstIndex() (uint64, error)
	LastIndex() (uint64, error)
	// Holds tells whether the log has the entry of that index and term, or, in conflict, one of another term.
	Holds(index, term uint64) (held, conflict bool, err error)
	// DeleteRange deletes the entries from one to another.
	DeleteRange(first, last uint64) error
	// Wipe deletes all of it.
	Wipe() error
}

// reconcile sees, before raft runs, that the log goes on where the newest snapshot ends. A crash right after a snapshot was
// installed leaves an old log below it, which may hold entries that never were committed: it is deleted. A log that
// begins beyond the snapshot has lost entries, and the member must not start: loadSnapshot has taken in a newer one by now
// where any member has it. A log that goes another way than the snapshot,
// which was taken in from another member, never was committed from there on.
func reconcile(log emptiable, snapshots raft.SnapshotStore, logger hclog.Logger) error {
	list, err := snapshots.List()
	if err != nil {
		return fmt.Errorf("list the snapshots: %w", err)
	}
	covered := uint64(0)
	if len(list) > 0 {
		covered = list[0].Index
	}
	first, err := log.FirstIndex()
	if err != nil {
		return fmt.Errorf("read the raft log: %w", err)
	}
	last, err := log.LastIndex()
	if err != nil {
		return fmt.Errorf("read the raft log: %w", err)
	}
	switch {
	case last == 0:
		return nil
	case first > covered+1:
		return fmt.Errorf("the raft log begins at %d and the newest snapshot ends at %d: entries between them are lost, "+
			"expected a log from %d at the latest; this member cannot be trusted any more: remove it from the cluster, "+
			"make a new data directory (ballastd init) and join it as a new member", first, covered, covered+1)
	case covered > 0 && last >= covered:
		return cutConflict(log, list[0], last, logger)
	case last < covered:
		logger.Warn("the raft log ends below the newest snapshot, and is deleted", "last", last, "snapshot", covered)
		return log.Wipe()
	}
	return nil
}

// cutConflict deletes what a log has from the snapshot's index on, where that is of another term there. The rest is below the
// snapshot, and goes too.
func cutConflict(log emptiable, newest *raft.SnapshotMeta, last uint64, logger hclog.Logger) error {
	_, conflict, err := log.Holds(newest.Index, newest.Term)
	if err != nil || !conflict {
		return err
	}
	logger.Warn("the raft log goes another way than the newest snapshot, and is deleted", "last", last, "snapshot", newest.Index, "term", newest.Term)
	if err := log.DeleteRange(newest.Index, last); err != nil {
		return err
	}
	return log.Wipe()
}
