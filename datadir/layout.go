// Package datadir makes, checks, locks and opens the directory that holds everything a member must not lose.
//
// A data directory is made by Init and by nothing else. Open never creates: a directory that is missing, empty, half
// made, foreign, damaged, incomplete or in use is refused with a *RefusedError, and nothing in it is changed. The format is
// described in docs/formats/datadir.md.
package datadir

import (
	"os"
	"path/filepath"
)

// Modes of what Init makes. Open accepts directories that the group may read but not write.
const (
	dirMode  os.FileMode = 0o700
	fileMode os.FileMode = 0o600
	// forbidden are the permission bits that a data directory must not have.
	forbidden os.FileMode = 0o027
)

// Names within a data directory.
const (
	identityName = "identity"
	bootName     = "boot"
	// markerName is the file that Init makes first and removes last.
	markerName = "init.incomplete"
	raftName   = "raft"
	// A raft log is a file or, of another kind, a directory in which there is this file.
	boltName     = "log.db"
	walMetaName  = "wal/wal-meta.db"
	snapshotName = "snapshots"
	journalName  = "journal"
	// lostFound is made by mkfs at the root of a file system and is nobody's data.
	lostFound = "lost+found"
)

// Layout names the places within a data directory.
type Layout struct{ root string }

// Root is the data directory itself.
func (l Layout) Root() string { return l.root }

// Raft is the directory of the raft log and the votes.
func (l Layout) Raft() string { return filepath.Join(l.root, raftName) }

// logs are the files of which one is there and not empty, whatever the kind of the raft log.
func (l Layout) logs() []string {
	return []string{filepath.Join(l.Raft(), walMetaName), filepath.Join(l.Raft(), boltName)}
}

// Snapshots is the directory of the snapshots.
func (l Layout) Snapshots() string { return filepath.Join(l.root, snapshotName) }

// Journal is the directory of the journal of entries.
func (l Layout) Journal() string { return filepath.Join(l.root, journalName) }

func (l Layout) identity() string { return filepath.Join(l.root, identityName) }
func (l Layout) boot() string     { return filepath.Join(l.root, bootName) }
func (l Layout) marker() string   { return filepath.Join(l.root, markerName) }

// directories are made by Init and must be there at Open.
func (l Layout) directories() []string {
	return []string{l.Raft(), l.Snapshots(), l.Journal()}
}
