package node

import (
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/marks"
	"github.com/ballastdb/ballast/snapshots"
	"github.com/ballastdb/ballast/transport"
)

// servers are the members of raft's newest configuration; none before raft runs.
func (n *node) servers() []raft.Server {
	future := n.raft.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	return future.Configuration().Servers
}

// configurationIndex is the log index of the newest configuration that was applied here, or came with a snapshot: a member that took one
// in never applied what lies before it.
func (n *node) configurationIndex() uint64 {
	index := n.machine.Weight().Configuration
	list, err := n.snapshots.List()
	if err == nil && len(list) > 0 {
		index = max(index, list[0].ConfigurationIndex)
	}
	return index
}

// voters are those that vote.
func (n *node) voters() (ids []raft.ServerID) {
	for _, s := range n.servers() {
		if s.Suffrage == raft.Voter {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// foundDamaged notes that what the newest snapshot has on the disk is damaged: the next one mends that.
func (n *node) foundDamaged(*snapshots.DamagedError) { n.damaged.Store(n.snapshots.NewestIndex()) }

// tell is what the leader is told with every answer to an append.
func (n *node) tell() transport.Told {
	told := transport.Told{Settled: n.machine.Settled()}
	if damaged := n.damaged.Load(); damaged > 0 && damaged == n.snapshots.NewestIndex() {
		told.Damaged = damaged
	}
	return told
}

// marking is what this member, the leader, knows of all members' snapshots of the mark at an index. Who does not answer, or whose log
// does not go that far, will not have one soon, and is not waited for.
func (n *node) marking(mark uint64) marks.Members {
	servers, term, now := n.servers(), n.raft.CurrentTerm(), time.Now()
	own := n.tell()
	found := marks.Members{Damaged: own.Damaged}
	voters, settled, writing := 0, 0, 0
	for _, s := range servers {
		told, follows := own, true
		if s.ID != n.id {
			f := n.transport.Follower(s.ID)
			told, follows = f.Told, f.Follows(term, mark, now)
		}
		if follows {
			found.Damaged = max(found.Damaged, told.Damaged)
		}
		switch {
		case s.Suffrage != raft.Voter:
		case told.Settled >= mark:
			voters, settled = voters+1, settled+1
		case follows:
			voters, writing = voters+1, writing+1
		default:
			voters++
		}
	}
	found.Writing = writing > 0 && settled < voters/2+1
	return found
}
