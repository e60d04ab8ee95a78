package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/history"
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/fsm/roster"
	"github.com/ballastdb/ballast/fsm/upkeep"
)

// FirstVersion is the cluster version that a store is founded at. This program applies everything up to SupportedVersion.
const FirstVersion = 1

// Tables beside the ledger's, which are below 192. Ids are part of every stored page: append-only.
const (
	tableCluster     = 192
	tableCheckpoints = 193
	tableMembers     = 194
	tableUpkeep      = 195
	tableHistory     = 196
)

// The record of tableCluster: index 8 | cluster version 4 | zero 4 | marker term 8 | zero 8.
const (
	clusterBytes   = 32
	offVersion     = 8
	offMarkerTerm  = 16
	clusterRecords = 1
)

// ErrVersion refuses a cluster version below the one in force.
var ErrVersion = errors.New("cluster version can only be raised")

// state is everything that is replicated, in pages of one space.
type state struct {
	books       *ledger.State
	members     *roster.Roster
	cluster     *page.Table
	checkpoints checkpoints
	upkeep      *upkeep.Table
	history     *history.Table
}

func newState() *state {
	s := &state{books: ledger.New()}
	space := s.books.Space()
	s.cluster = space.Table(tableCluster, clusterBytes)
	s.checkpoints.table = space.Table(tableCheckpoints, checkpointBytes)
	s.members = roster.New(space, tableMembers)
	s.upkeep = upkeep.New(space, tableUpkeep)
	s.history = history.New(space, tableHistory)
	return s
}

func (s *state) space() *page.Space { return s.books.Space() }

// rebuild derives what is not in pages, after they were loaded, and checks that they are a state.
func (s *state) rebuild(breathe page.Breathe) error {
	if n := s.cluster.Len(); n > clusterRecords {
		return fmt.Errorf("%d cluster records, want at most %d", n, clusterRecords)
	}
	if n := s.checkpoints.table.Len(); n > maxCheckpoints {
		return fmt.Errorf("%d checkpoints, want at most %d", n, maxCheckpoints)
	}
	if v := s.version(); v < FirstVersion || v > SupportedVersion {
		return fmt.Errorf("%w: the state has cluster version %d, this program knows %d to %d", proposal.ErrNewerVersion, v, FirstVersion, SupportedVersion)
	}
	if err := s.members.Check(); err != nil {
		return err
	}
	if err := s.upkeep.Check(); err != nil {
		return err
	}
	if err := s.history.Check(); err != nil {
		return err
	}
	return s.books.Rebuild(breathe)
}

// version is the cluster version in force.
func (s *state) version() uint32 {
	if s.cluster.Len() == 0 {
		return FirstVersion
	}
	return binary.LittleEndian.Uint32(s.cluster.Get(0)[offVersion:])
}

// markerTerm is the highest term whose marker was applied.
func (s *state) markerTerm() uint64 {
	if s.cluster.Len() == 0 {
		return 0
	}
	return binary.LittleEndian.Uint64(s.cluster.Get(0)[offMarkerTerm:])
}

func (s *state) setCluster(index uint64, version uint32, markerTerm uint64) {
	var rec []byte
	if s.cluster.Len() == 0 {
		_, rec = s.cluster.Append(index)
	} else {
		rec = s.cluster.Begin(0)
	}
	binary.LittleEndian.PutUint32(rec[offVersion:], version)
	binary.LittleEndian.PutUint64(rec[offMarkerTerm:], markerTerm)
	s.cluster.End(0, index)
}

// check refuses, before anything is changed, a proposal that this program must not go beyond.
func (s *state) check(p *proposal.Proposal) error {
	if v := s.version(); p.ClusterVersion > v {
		return fmt.Errorf("%w: it was proposed at cluster version %d, the state is at %d", proposal.ErrNewerVersion, p.ClusterVersion, v)
	}
	if p.Kind == proposal.KindRaiseVersion && p.Version > SupportedVersion {
		return fmt.Errorf("%w: it raises the cluster version to %d, this program knows up to %d", proposal.ErrNewerVersion, p.Version, SupportedVersion)
	}
	return nil
}

// apply applies a checked proposal. The error is the answer to its proposer: the command was refused, on every member
// alike.
func (s *state) apply(index, term uint64, p *proposal.Proposal, out *ledger.Output) error {
	err := s.command(index, term, p, out)
	if p.Kind == proposal.KindCheckpoint || s.checkpoints.due(index, s.books.Settings().CheckpointInterval) {
		s.checkpoints.add(index, s.space().Digest())
	}
	return err
}

func (s *state) command(index, term uint64, p *proposal.Proposal, out *ledger.Output) error {
	switch p.Kind {
	case proposal.KindOperations:
		s.books.Apply(index, p.Time, p.Operations, out)
		return nil
	case proposal.KindTick:
		s.books.Apply(index, p.Time, nil, out)
		return nil
	case proposal.KindSettings:
		return s.changeSettings(index, p)
	}
	s.books.Advance(index, p.Time)
	switch p.Kind {
	case proposal.KindMarker:
		s.setCluster(index, s.version(), max(term, s.markerTerm()))
	case proposal.KindAnnounce:
		return s.members.Put(index, roster.Member(p.Member))
	case proposal.KindForget:
		return s.members.Remove(index, p.Member.ID)
	case proposal.KindRaiseVersion:
		if v := s.version(); p.Version < v {
			return fmt.Errorf("%w: it is %d, wanted %d", ErrVersion, v, p.Version)
		}
		s.setCluster(index, p.Version, s.markerTerm())
	}
	return nil
}
