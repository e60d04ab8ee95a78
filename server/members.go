package server

import (
	"net"
	"strings"

	"github.com/google/uuid"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/roster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Roster tells the replicated addresses of members; *fsm.FSM does.
type Roster interface {
	// Member is what was announced for a raft server id.
	Member(id string) (roster.Member, bool)
}

// memberName is the name in a raft server id.
func memberName(id raft.ServerID) string {
	name, _, _ := strings.Cut(string(id), "/")
	return name
}

// LeaderHint returns a function that tells where this member believes the leader to be, nil where it knows none.
func LeaderHint(r Raft, members Roster) func() *ballastv1.LeaderHint {
	return func() *ballastv1.LeaderHint {
		_, id := r.LeaderWithID()
		if id == "" {
			return nil
		}
		announced, _ := members.Member(string(id))
		return &ballastv1.LeaderHint{Name: memberName(id), ClientAddress: announced.ClientAddress}
	}
}

// latest is the latest configuration of the cluster, committed or not, and its log index.
func latest(r Raft) (raft.Configuration, uint64, error) {
	future := r.GetConfiguration()
	if err := future.Error(); err != nil {
		return raft.Configuration{}, 0, err
	}
	return future.Configuration(), future.Index(), nil
}

// named finds a member by name.
func named(configuration raft.Configuration, name string) (raft.Server, bool) {
	for _, s := range configuration.Servers {
		if memberName(s.ID) == name {
			return s, true
		}
	}
	return raft.Server{}, false
}

// knownMember is a server with what the roster has of it.
func knownMember(members Roster, s raft.Server) roster.Member {
	m, _ := members.Member(string(s.ID))
	m.ID, m.MemberAddress = string(s.ID), string(s.Address)
	return m
}

func (o *Operator) memberProto(s raft.Server) *ballastv1.Member {
	m := knownMember(o.cfg.Store, s)
	role := ballastv1.Role_ROLE_NON_VOTER
	if s.Suffrage == raft.Voter {
		role = ballastv1.Role_ROLE_VOTER
	}
	boots := uint64(0)
	if o.cfg.Boots != nil {
		boots = o.cfg.Boots(s.ID)
	}
	return &ballastv1.Member{
		Id: m.ID, Name: memberName(s.ID), Role: role, MemberAddress: m.MemberAddress, ClientAddress: m.ClientAddress,
		OperatorAddress: m.OperatorAddress, StayNonVoter: m.StayNonVoter, Boots: boots, NewestClusterVersion: m.NewestVersion,
	}
}

// checkMember checks the fields by which a member is added.
func checkMember(r *ballastv1.AddMemberRequest) *Failure {
	name, incarnation, _ := strings.Cut(r.GetId(), "/")
	if parsed, err := uuid.Parse(incarnation); name == "" || err != nil || parsed.String() != incarnation ||
		len(r.GetId()) > roster.MaxID {
		return invalid("id: want NAME/INCARNATION as the member's own status tells, found %q", clip(r.GetId()))
	}
	for _, a := range []struct{ field, address string }{
		{"member_address", r.GetMemberAddress()},
		{"client_address", r.GetClientAddress()},
		{"operator_address", r.GetOperatorAddress()},
	} {
		if host, port, err := net.SplitHostPort(a.address); err != nil || host == "" || port == "" ||
			len(a.address) > roster.MaxAddress {
			return invalid("%s: want host:port of at most %d bytes, found %q", a.field, roster.MaxAddress, clip(a.address))
		}
	}
	return nil
}
