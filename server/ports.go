package server

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// Clock tells the time. Injected, so that tests can make it jump.
type Clock func() time.Time

// Raft is what the server asks of the raft library; *raft.Raft is one.
type Raft interface {
	Apply(data []byte, timeout time.Duration) raft.ApplyFuture
	State() raft.RaftState
	CurrentTerm() uint64
	CommitIndex() uint64
	LastIndex() uint64
	AppliedIndex() uint64
	LastContact() time.Time
	LeaderWithID() (raft.ServerAddress, raft.ServerID)
	GetConfiguration() raft.ConfigurationFuture
	VerifyLeader() raft.Future
	BootstrapCluster(raft.Configuration) raft.Future
	AddVoter(id raft.ServerID, address raft.ServerAddress, prevIndex uint64, timeout time.Duration) raft.IndexFuture
	AddNonvoter(id raft.ServerID, address raft.ServerAddress, prevIndex uint64, timeout time.Duration) raft.IndexFuture
	RemoveServer(id raft.ServerID, prevIndex uint64, timeout time.Duration) raft.IndexFuture
	LeadershipTransferToServer(id raft.ServerID, address raft.ServerAddress) raft.Future
}

var _ Raft = (*raft.Raft)(nil)

// Logs reads entries of the raft log; every raft.LogStore does.
type Logs interface {
	GetLog(index uint64, log *raft.Log) error
}

// Confirmer asks another member for its current term, off its raft loop. An answer must have been read after the call
// began; a member of another cluster or incarnation must be an error.
type Confirmer interface {
	ConfirmTerm(ctx context.Context, id raft.ServerID, address raft.ServerAddress) (uint64, error)
}

// leads reports the term in which r leads, if it does. The term is read on both sides of the state: equal terms mean
// that the state was that term's.
func leads(r Raft) (term uint64, ok bool) {
	before := r.CurrentTerm()
	state := r.State()
	return before, state == raft.Leader && r.CurrentTerm() == before
}
