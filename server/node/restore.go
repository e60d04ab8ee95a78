package node

import (
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/backup"
	"github.com/ballastdb/ballast/backup/content"
	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/logstore"
	"github.com/ballastdb/ballast/transport"
)

// RestoreOptions say where a backup goes, and who it becomes there.
type RestoreOptions struct {
	// Dir is the data directory to be made: missing, empty, or one whose making was cut short.
	Dir string
	// ClusterID is the new cluster's; the old one's is refused.
	ClusterID uuid.UUID
	// Name of the first member, and MemberAddress where others will reach it.
	Name, MemberAddress string
	// LogKind of its raft log.
	LogKind string
	Logger  hclog.Logger
	// Progress is told how many bytes were read; nil: nobody is.
	Progress func(read uint64)
}

// Restore makes a data directory out of a backup, as Init makes an empty one: that of the only voter of a new cluster, which
// starts as its leader with the state, ids and journal of the backup. The identity is written last, so that whatever goes wrong
// before leaves a directory that Run refuses as half-initialised. Nothing is made where the backup is another thing, or of the
// very cluster that is to be made.
func Restore(from io.Reader, o RestoreOptions) (*content.Summary, datadir.Identity, error) {
	r, err := backup.NewReader(from)
	if err != nil {
		return nil, datadir.Identity{}, err
	}
	if r.About().ClusterID == o.ClusterID.String() {
		return nil, datadir.Identity{}, fmt.Errorf("expected the UUID of a new cluster, found that of the cluster that the backup is of: members of both histories "+
			"could meet; make a new one (uuidgen) instead of %s", o.ClusterID)
	}
	identity, err := newIdentity(NewMember{ClusterID: o.ClusterID, Name: o.Name})
	if err != nil {
		return nil, datadir.Identity{}, err
	}
	var summary *content.Summary
	err = datadir.Init(o.Dir, identity, func(layout datadir.Layout) (err error) {
		summary, err = content.Restore(r, content.Place{
			FS: vfs.OS{}, Snapshots: layout.Snapshots(), Journal: layout.Journal(), Logger: o.Logger,
			Only: raft.Server{Suffrage: raft.Voter, ID: transport.ServerID(identity.Name, identity.Incarnation), Address: raft.ServerAddress(o.MemberAddress)},
		}, o.Progress)
		if err != nil {
			return err
		}
		return makeLog(layout, o.LogKind, o.Logger, summary.Term)
	})
	return summary, identity, err
}

// VerifyBackup reads a backup to its end and checks everything: see content.Verify.
func VerifyBackup(from io.Reader, progress func(read uint64)) (*content.Summary, error) {
	r, err := backup.NewReader(from)
	if err != nil {
		return nil, err
	}
	return content.Verify(r, progress)
}

// makeLog makes the empty raft log of a member. term is what it has seen: new entries must be of a later one than the snapshot that
// they follow; 0: none.
func makeLog(layout datadir.Layout, kind string, logger hclog.Logger, term uint64) error {
	// A write error is returned below as well, and nothing runs yet that would have to stop.
	log, err := logstore.Open(logstore.Options{Dir: layout.Raft(), Kind: logstore.Kind(kind), Logger: logger, Fatal: func(error) {}})
	if err != nil {
		return err
	}
	if term > 0 {
		err = log.SetUint64([]byte(raftCurrentTerm), term)
	}
	if closed := log.Close(); err == nil {
		err = closed
	}
	return err
}
