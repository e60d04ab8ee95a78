package raftfloor

import (
	"time"

	"github.com/hashicorp/raft"
)

// follower proposes to the member that leads. It is for one goroutine at a time.
type follower struct {
	members []*raft.Raft
	leader  *raft.Raft // last seen
}

// follow is the member that leads, or the one that last did: then the proposal fails, and its callers call again.
func (f *follower) follow() *raft.Raft {
	if f.leader.State() != raft.Leader {
		for _, m := range f.members {
			if m.State() == raft.Leader {
				f.leader = m
			}
		}
	}
	return f.leader
}

// Apply proposes.
func (f *follower) Apply(data []byte, timeout time.Duration) raft.ApplyFuture {
	return f.follow().Apply(data, timeout)
}
