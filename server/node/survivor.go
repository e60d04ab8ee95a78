package node

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/logstore"
	"github.com/ballastdb/ballast/snapshots"
)

// Survivor is what the disk of a stopped member has, as far as it matters when the others are lost.
type Survivor struct {
	// Dir is its data directory, Identity whose that is.
	Dir      string
	Identity datadir.Identity
	// Index and Term are where its log ends, or else its newest snapshot. Of two members of one history, that with the higher term has
	// everything that was ever acknowledged and that the other has; at equal terms that with the higher index.
	Index, Term uint64
	// At is when the newest change was written, by the clock of the leader that wrote it; zero: not known.
	At time.Time
	// Snapshot is the index of its newest snapshot; 0: none.
	Snapshot uint64
	// Members are those of its latest configuration.
	Members []raft.Server
	// CurrentTerm is the newest term that it has heard of.
	CurrentTerm uint64
	// Damage is what of the newest snapshot is damaged: the state cannot be had from it. Missing is what of the journal is, without which
	// statements that reach back to it are refused; balances and ids are right.
	Damage, Missing []Finding
	// Condemned is not nil where its state was found wrong.
	Condemned *datadir.Condemned
}

// Beyond tells whether s has something that was acknowledged and that o lacks, or may have.
func (s *Survivor) Beyond(o *Survivor) bool {
	return s.Term > o.Term || s.Term == o.Term && s.Index > o.Index
}

func (s *Survivor) id() raft.ServerID { return serverID(s.Identity) }

// Survey looks at the data directory of a stopped member, reads all of its newest snapshot, and changes none of it.
func Survey(dir string, logger hclog.Logger) (s *Survivor, err error) {
	look, err := LookAt(dir, true)
	if err != nil {
		return nil, err
	}
	d, err := datadir.Look(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	s = &Survivor{Dir: d.Root(), Identity: d.Identity()}
	for i, f := range look.Findings() { // those of the snapshot come first
		if i < len(look.Snapshots.Damage) {
			s.Damage = append(s.Damage, f)
		} else if !f.Harmless {
			s.Missing = append(s.Missing, f)
		}
	}
	if s.Condemned, err = d.Condemned(); err != nil || len(s.Damage) > 0 {
		return s, err
	}
	log, err := openStopped(d, logger)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	store, err := snapshots.Open(vfs.OS{}, d.Snapshots())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	s.At = look.At
	return s, s.read(log, snapshots.NewRaftStore(snapshots.RaftConfig{Store: store}))
}

// openStopped opens the log of a member that does not run.
func openStopped(d *datadir.Dir, logger hclog.Logger) (*logstore.Store, error) {
	kinds, err := logstore.Find(d.Raft())
	if err != nil {
		return nil, err
	}
	if len(kinds) != 1 {
		return nil, fmt.Errorf("raft log in %s: expected one kind of log, found %v: a conversion was cut short, run it again (ballastd convert-log)", d.Raft(), kinds)
	}
	var failed error
	log, err := logstore.Open(logstore.Options{Dir: d.Raft(), Kind: kinds[0], Logger: logger, Fatal: func(err error) { failed = err }})
	return log, errors.Join(err, failed)
}

// read reads what raft has.
func (s *Survivor) read(log *logstore.Store, of *snapshots.RaftStore) error {
	list, err := of.List()
	if err != nil {
		return err
	}
	configuration, _, err := lastConfiguration(log, list)
	if err != nil {
		return err
	}
	s.Members = configuration.Servers
	if s.CurrentTerm, err = currentTerm(log); err != nil {
		return err
	}
	if len(list) > 0 {
		s.Snapshot, s.Index, s.Term = list[0].Index, list[0].Index, list[0].Term
	}
	last, err := log.LastIndex()
	if err != nil || last <= s.Index {
		return err
	}
	var entry raft.Log
	if err := log.GetLog(last, &entry); err != nil {
		return fmt.Errorf("read entry %d of the raft log: %w", last, err)
	}
	s.Index, s.Term = entry.Index, entry.Term
	if !entry.AppendedAt.IsZero() {
		s.At = entry.AppendedAt
	}
	return nil
}
