package server

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/fsm/roster"
	"github.com/ballastdb/ballast/internal/guard"
	"github.com/ballastdb/ballast/internal/wait"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Bootstrap is ballastv1.OperatorServiceServer's.
func (o *Operator) Bootstrap(
	ctx context.Context, _ *ballastv1.BootstrapRequest,
) (*ballastv1.BootstrapResponse, error) {
	if failure := o.cfg.Gate.pass(); failure != nil {
		return nil, failure
	}
	ctx, cancel := context.WithTimeout(ctx, o.cfg.Timeout)
	defer cancel()
	self := raft.Server{
		Suffrage: raft.Voter, ID: o.localID(), Address: raft.ServerAddress(o.cfg.Self.MemberAddress),
	}
	err, done := await(ctx, o.cfg.Raft.BootstrapCluster(raft.Configuration{Servers: []raft.Server{self}}))
	switch {
	case !done:
		return nil, contextFailure(err, ballastv1.Outcome_OUTCOME_UNKNOWN)
	case errors.Is(err, raft.ErrCantBootstrap):
		return nil, precondition("this member has state already: it is in a cluster, or was; see its status")
	case err != nil:
		return nil, unknown(codes.Internal, "the cluster may or may not have been made: look at the status", err)
	}
	if err := o.leading(ctx); err != nil {
		return nil, contextFailure(err, ballastv1.Outcome_OUTCOME_UNKNOWN)
	}
	return &ballastv1.BootstrapResponse{}, nil
}

// leading waits until this member leads and has committed its marker.
func (o *Operator) leading(ctx context.Context) error {
	for {
		if term, ok := leads(o.cfg.Raft); ok {
			return o.cfg.Marked(ctx, term)
		}
		if err := wait.For(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// AddMember is ballastv1.OperatorServiceServer's.
func (o *Operator) AddMember(
	ctx context.Context, r *ballastv1.AddMemberRequest,
) (*ballastv1.AddMemberResponse, error) {
	if failure := checkMember(r); failure != nil {
		return nil, failure
	}
	if r.GetClusterId() != o.cfg.ClusterID {
		return nil, precondition("cluster_id: this cluster is %s, the new member's data directory was made for %q: make it for this one",
			o.cfg.ClusterID, clip(r.GetClusterId()))
	}
	if r.GetRecoveryEpoch() != o.cfg.Epoch {
		return nil, precondition("recovery_epoch: this cluster is of epoch %d, the new member's data directory was made for %d: "+
			"make a new one with ballastd init --recovery-epoch %d", o.cfg.Epoch, r.GetRecoveryEpoch(), o.cfg.Epoch)
	}
	c, failure := o.change(ctx)
	if failure != nil {
		return nil, failure
	}
	defer c.end()
	member := roster.Member{
		ID: r.GetId(), MemberAddress: r.GetMemberAddress(), ClientAddress: r.GetClientAddress(),
		OperatorAddress: r.GetOperatorAddress(), StayNonVoter: r.GetStayNonVoter(),
	}
	if failure := o.conflict(c.configuration, member); failure != nil {
		return nil, failure
	}
	if failure := o.unfit(c, &member); failure != nil {
		return nil, failure
	}
	index, failure := o.enlist(c, member)
	if failure != nil {
		return nil, failure
	}
	if err := o.cfg.Commands.Announce(c.ctx, member); err != nil {
		return nil, withLeader(err, o.leader)
	}
	return &ballastv1.AddMemberResponse{Index: index}, nil
}

// enlist adds a member to raft's configuration as a non-voter, unless it is there as it should be.
func (o *Operator) enlist(c change, member roster.Member) (uint64, *Failure) {
	for _, s := range c.configuration.Servers {
		if string(s.ID) == member.ID && string(s.Address) == member.MemberAddress {
			return c.index, nil
		}
	}
	return o.commit(c, o.cfg.Raft.AddNonvoter(
		raft.ServerID(member.ID), raft.ServerAddress(member.MemberAddress), c.index, c.timeout()))
}

// conflict refuses a member whose name or address another one has: a wiped disk under an old name is a new member, and
// the old one must be removed first.
func (o *Operator) conflict(configuration raft.Configuration, m roster.Member) *Failure {
	for _, s := range configuration.Servers {
		if string(s.ID) == m.ID {
			continue
		}
		other := knownMember(o.cfg.Store, s)
		for _, same := range []struct {
			what string
			is   bool
		}{
			{"name", memberName(s.ID) == memberName(raft.ServerID(m.ID))},
			{"member_address", other.MemberAddress == m.MemberAddress},
			{"client_address", other.ClientAddress == m.ClientAddress},
			{"operator_address", other.OperatorAddress == m.OperatorAddress},
		} {
			if same.is {
				f := invalid("%s: member %s has it: remove that one first", same.what, s.ID)
				f.Code = codes.AlreadyExists
				return f
			}
		}
	}
	return nil
}

// unfit refuses a member whose own answer shows that it cannot be one, and notes in m what cluster version its program
// applies. A member that does not answer cannot be asked.
func (o *Operator) unfit(c change, m *roster.Member) *Failure {
	ctx, cancel := context.WithTimeout(c.ctx, progressTimeout)
	defer cancel()
	p, err := o.cfg.Peers.Progress(ctx, *m)
	if err != nil || string(p.ID) != m.ID {
		return nil
	}
	m.NewestVersion = p.NewestVersion
	if failure := o.tooOld(p); failure != nil {
		return failure
	}
	return o.elsewhere(c, *m, p)
}

// elsewhere refuses a member with a history of its own, whose configuration names nobody of this cluster: it was
// bootstrapped too, or joined to one that was. Raft would write this cluster's log over its own and leave in its state
// what was applied from the old one.
func (o *Operator) elsewhere(c change, m roster.Member, p Progress) *Failure {
	if len(p.Members) == 0 {
		return nil
	}
	for _, s := range c.configuration.Servers {
		if slices.Contains(p.Members, s.ID) {
			return nil
		}
	}
	return precondition("%s belongs to another cluster, which was bootstrapped apart from this one, with state of its own: "+
		"to add it here, give it a new data directory", memberName(raft.ServerID(m.ID)))
}

// PromoteMember is ballastv1.OperatorServiceServer's.
func (o *Operator) PromoteMember(
	ctx context.Context, r *ballastv1.PromoteMemberRequest,
) (*ballastv1.PromoteMemberResponse, error) {
	c, failure := o.change(ctx)
	if failure != nil {
		return nil, failure
	}
	defer c.end()
	server, ok := named(c.configuration, r.GetName())
	if !ok {
		return nil, notFound("name: there is no member %q", clip(r.GetName()))
	}
	if server.Suffrage == raft.Voter {
		return &ballastv1.PromoteMemberResponse{Index: c.index}, nil
	}
	// raft.AddVoter counts the member at once, whatever its documentation says: one that lacks the log would hold up
	// every commit until it has it.
	if guard.On("AddVoter") {
		if err := caughtUp(c.ctx, o.cfg.Raft, o.cfg.Peers, knownMember(o.cfg.Store, server)); err != nil {
			return nil, precondition("not caught up: %v: try again when it is", err)
		}
	}
	if o.cfg.Steady != nil && !r.GetAtOnce() {
		if err := o.cfg.Steady(server.ID); err != nil {
			return nil, precondition("not stable yet: %v: try again when it is", err)
		}
	}
	index, failure := o.commit(c, o.cfg.Raft.AddVoter(server.ID, server.Address, c.index, c.timeout()))
	if failure != nil {
		return nil, failure
	}
	if known, ok := o.cfg.Store.Member(string(server.ID)); ok && known.StayNonVoter {
		known.StayNonVoter = false
		if err := o.cfg.Commands.Announce(c.ctx, known); err != nil {
			// It votes; the wish that it does not is without effect until it is added as a non-voter again.
			o.cfg.Logger.Warn("a promoted member is still noted as one that stays a non-voter", "member", server.ID, "error", err)
		}
	}
	return &ballastv1.PromoteMemberResponse{Index: index}, nil
}

// RemoveMember is ballastv1.OperatorServiceServer's.
func (o *Operator) RemoveMember(
	ctx context.Context, r *ballastv1.RemoveMemberRequest,
) (*ballastv1.RemoveMemberResponse, error) {
	c, failure := o.change(ctx)
	if failure != nil {
		return nil, failure
	}
	defer c.end()
	server, ok := named(c.configuration, r.GetName())
	switch {
	case !ok:
		return nil, notFound("name: there is no member %q", clip(r.GetName()))
	case server.ID == o.localID():
		return nil, precondition("%s leads: transfer leadership first", r.GetName())
	}
	if server.Suffrage == raft.Voter && !r.GetForce() {
		if failure := o.safeWithout(c, server.ID); failure != nil {
			return nil, failure
		}
	}
	index, failure := o.commit(c, o.cfg.Raft.RemoveServer(server.ID, c.index, c.timeout()))
	if failure != nil {
		return nil, failure
	}
	if _, known := o.cfg.Store.Member(string(server.ID)); known {
		if err := o.cfg.Commands.Forget(c.ctx, server.ID); err != nil {
			// The member is gone; that its addresses are still kept is harmless.
			o.cfg.Logger.Warn("the addresses of a removed member are still announced", "member", server.ID, "error", err)
		}
	}
	return &ballastv1.RemoveMemberResponse{Index: index}, nil
}

// safeWithout refuses to remove a voter where those of the others that answer and are caught up are no majority of them: what is
// committed must be on their disks, too. Where a majority of all voters is well, it is always one that is well whose removal is refused, and
// the one that ails should go instead.
func (o *Operator) safeWithout(c change, id raft.ServerID) *Failure {
	var others []raft.Server
	well := 1 // this member, which leads
	for _, s := range c.configuration.Servers {
		if s.Suffrage == raft.Voter && s.ID != id && s.ID != o.localID() {
			others = append(others, s)
		}
	}
	behind := make([]error, len(others))
	var all sync.WaitGroup
	for i, s := range others {
		all.Go(func() { behind[i] = caughtUp(c.ctx, o.cfg.Raft, o.cfg.Peers, knownMember(o.cfg.Store, s)) })
	}
	all.Wait()
	var ails []string
	for _, err := range behind {
		if err == nil {
			well++
		} else {
			ails = append(ails, err.Error())
		}
	}
	voters := len(others) + 1
	if majority := voters/2 + 1; well < majority {
		return precondition("only %d of the %d voters that would remain answer and are caught up, a majority is %d: the cluster would stop: %s; "+
			"bring it back first (a restart is always safe), or remove it instead if its disk is lost for good; --force removes %s all the same",
			well, voters, majority, strings.Join(ails, "; "), memberName(id))
	}
	return nil
}
