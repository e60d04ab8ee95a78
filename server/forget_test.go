package server

import (
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// After a recovery from a lost majority the roster still has those that were given up; the leader takes them off, and nobody else.
func TestMembersThatAreGoneAreForgotten(t *testing.T) {
	m := newMember(t, nil)
	cfg := m.operatorConfig
	cfg.Logger = hclog.NewNullLogger()
	o := NewOperator(cfg)
	for _, id := range []string{idB, idC} {
		if err := cfg.Commands.Announce(testContext(t), rosterMember(id)); err != nil {
			t.Fatal(err)
		}
	}
	m.servers(voter(idA), nonVoter(idC))
	m.raft.with(func(r *fakeRaft) { r.state = raft.Follower })
	o.forgetGone(testContext(t))
	if n := len(m.fsm.Members()); n != 3 {
		t.Fatalf("a follower left %d of 3 members", n)
	}
	m.raft.with(func(r *fakeRaft) { r.state = raft.Leader })
	for range 2 {
		o.forgetGone(testContext(t))
		if _, known := m.fsm.Member(idB); known || len(m.fsm.Members()) != 2 {
			t.Errorf("the roster is %v", m.fsm.Members())
		}
	}
}
