package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Status is ballastv1.OperatorServiceServer's. It asks nobody and waits for nothing but the state's lock.
func (o *Operator) Status(context.Context, *ballastv1.StatusRequest) (*ballastv1.StatusResponse, error) {
	self, r := o.cfg.Self, o.cfg.Raft
	_, leader := r.LeaderWithID()
	_, incarnation, _ := strings.Cut(self.ID, "/")
	s := &ballastv1.StatusResponse{
		Name: memberName(o.localID()), ClusterId: o.cfg.ClusterID, Incarnation: incarnation, Id: self.ID, RecoveryEpoch: o.cfg.Epoch,
		RaftState: raftState(r.State()), Term: r.CurrentTerm(), Leader: memberName(leader),
		CommitIndex: r.CommitIndex(), LastLogIndex: r.LastIndex(),
		Pid: int64(o.cfg.PID), Version: o.cfg.Version, ClusterVersion: o.cfg.Store.ClusterVersion(), OldestClusterVersion: fsm.FirstVersion,
		NewestClusterVersion: self.NewestVersion, MemberAddress: self.MemberAddress, ClientAddress: self.ClientAddress,
		OperatorAddress: self.OperatorAddress,
	}
	o.cfg.Store.ReadIndexed(func(state *ledger.State, index uint64) {
		s.AppliedIndex, s.LogTime, s.Horizon, s.JournalLength = index, state.LogTime(), state.Horizon(), state.Sequence()
	})
	for _, c := range o.cfg.Store.Checkpoints() {
		s.Checkpoints = append(s.Checkpoints, &ballastv1.Checkpoint{Index: c.Index, Digest: c.Digest.Bytes()})
	}
	s.EffectiveWindow = durationpb.New(time.Duration(max(s.LogTime-s.Horizon, 0)))
	if contact := r.LastContact(); s.RaftState == ballastv1.RaftState_RAFT_STATE_LEADER {
		s.LastContact = durationpb.New(0)
	} else if !contact.IsZero() {
		s.LastContact = durationpb.New(max(time.Since(contact), 0))
	}
	if configuration, _, err := latest(r); err == nil {
		for _, server := range configuration.Servers {
			s.Members = append(s.Members, o.memberProto(server))
		}
	}
	facts := o.facts()
	showFacts(s, &facts)
	s.Drift = o.cfg.Drift
	if o.cfg.Clock != nil {
		term, ok := leads(r)
		s.Clock = o.cfg.Clock.Status(term, ok)
	}
	s.State = strings.Join(append([]string{o.sentence(s, &facts)}, o.notes()...), "; ")
	return s, nil
}

// facts are what the parts of this member tell, and how it stands.
func (o *Operator) facts() Facts {
	if o.cfg.Facts == nil {
		return Facts{}
	}
	return o.cfg.Facts()
}

// notes are what there is to say besides.
func (o *Operator) notes() []string {
	if o.cfg.Notes == nil {
		return nil
	}
	return o.cfg.Notes()
}

// sentence says what the member is doing, and what not to do about it.
func (o *Operator) sentence(s *ballastv1.StatusResponse, f *Facts) string {
	behind := standing(f)
	if behind != "" {
		behind = "; it " + behind
	} else if s.CommitIndex > s.AppliedIndex+maxLag {
		behind = fmt.Sprintf(", catching up: applied %d of %d entries", s.AppliedIndex, s.CommitIndex)
	}
	condemned := o.cfg.Gate.Condemned()
	switch {
	case condemned != "":
		return condemned
	case o.cfg.Gate.Closed():
		return "is shutting down: calls go to the other members"
	case len(s.Members) == 0 && behind != "":
		return "was added to a cluster" + behind
	case len(s.Members) == 0:
		return "belongs to no cluster yet: bootstrap one here, or join it to one"
	case s.RaftState == ballastv1.RaftState_RAFT_STATE_LEADER:
		return fmt.Sprintf("leads %d members in term %d%s", len(s.Members), s.Term, behind)
	case s.Leader != "":
		return fmt.Sprintf("follows %s in term %d%s", s.Leader, s.Term, behind)
	case s.LastContact != nil:
		return fmt.Sprintf("has no leader, heard from one %s ago: needs a majority of the voters running; nothing is lost, do not wipe data",
			s.LastContact.AsDuration().Round(time.Millisecond))
	}
	return "has no leader and has heard from none since it started: needs a majority of the voters running; nothing is lost, do not wipe data"
}

func raftState(s raft.RaftState) ballastv1.RaftState {
	switch s {
	case raft.Follower:
		return ballastv1.RaftState_RAFT_STATE_FOLLOWER
	case raft.Candidate:
		return ballastv1.RaftState_RAFT_STATE_CANDIDATE
	case raft.Leader:
		return ballastv1.RaftState_RAFT_STATE_LEADER
	}
	return ballastv1.RaftState_RAFT_STATE_UNSPECIFIED
}
