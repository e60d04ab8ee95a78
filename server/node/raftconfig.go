package node

import (
	"math"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/internal/guard"
)

const (
	// logCacheBytes of the newest log entries are kept in memory for followers that are a little behind.
	logCacheBytes = 64 << 20
	// maxAppendEntries bounds the entries of one append, of the log cache's pieces and of one batch to the state machine.
	// Entries are proposals of up to 256 KiB, so this is up to 16 MiB; and raft allocates that many slots at every commit.
	maxAppendEntries = 64
	// unboundedAppendEntries is what raft would allow.
	unboundedAppendEntries = 1024
	// commitTimeout is how soon after a quiet moment followers learn the newest commit index. It costs an append to every
	// follower each time it passes; who writes never waits for it.
	commitTimeout = 50 * time.Millisecond
	// snapshotInterval never passes: snapshots are taken at marks. Raft waits for up to twice this, which must not overflow,
	// and a huge threshold alone would not stop it: it subtracts, without a sign, an index that may be the larger one.
	snapshotInterval = 10 * 365 * 24 * time.Hour
)

func raftConfig(c config.Config, id raft.ServerID, logger hclog.Logger) *raft.Config {
	rc := raft.DefaultConfig()
	rc.LocalID = id
	rc.Logger = logger
	rc.HeartbeatTimeout = c.HeartbeatTimeout
	rc.ElectionTimeout = c.ElectionTimeout
	rc.LeaderLeaseTimeout = c.HeartbeatTimeout
	rc.CommitTimeout = commitTimeout
	rc.MaxAppendEntries = unboundedAppendEntries
	if guard.On("max-append") {
		rc.MaxAppendEntries = maxAppendEntries
	}
	rc.BatchApplyCh = true
	rc.SnapshotInterval = snapshotInterval
	if !guard.On("SnapshotInterval") {
		rc.SnapshotInterval = math.MaxInt64
	}
	rc.SnapshotThreshold = math.MaxUint64
	rc.TrailingLogs = math.MaxUint64 // the log store decides what goes
	// A removed member keeps answering operators; shutting down by itself could race with a snapshot being taken.
	rc.ShutdownOnRemove = false
	// A member that was cut off asks before it raises the term.
	rc.PreVoteDisabled = !guard.On("prevote-wired")
	rc.NoSnapshotRestoreOnStart = false
	rc.NoLegacyTelemetry = true
	return rc
}
