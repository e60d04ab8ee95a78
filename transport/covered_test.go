package transport

import (
	"testing"

	"github.com/hashicorp/raft"
)

// TestCoveredEntriesAreSkipped: what reaches raft of an append to a member whose log is empty and whose snapshot is at index 7.
func TestCoveredEntriesAreSkipped(t *testing.T) {
	const snapshot, term = 7, 4
	for _, c := range []struct {
		name                string
		prev                uint64
		entries             int
		wantPrev, wantFirst uint64
		left                int
	}{
		{"all below it", 2, 3, 7, 0, 0},
		{"from the beginning", 0, 3, 7, 0, 0},
		{"up to it", 2, 5, 7, 0, 0},
		{"beyond it", 2, 8, 7, 8, 3},
		{"right behind it", 7, 2, 7, 8, 2},
		{"far behind it", 9, 2, 9, 10, 2},
		{"nothing, below it", 3, 0, 7, 0, 0},
	} {
		r := &raft.AppendEntriesRequest{Term: 5, PrevLogEntry: c.prev, PrevLogTerm: 3, LeaderCommitIndex: c.prev}
		for i := range c.entries {
			r.Entries = append(r.Entries, &raft.Log{Index: c.prev + uint64(i) + 1, Term: 4})
		}
		if c.prev == 0 {
			r.PrevLogTerm, r.LeaderCommitIndex = 0, 3
		}
		skipCovered(r, snapshot, term)
		if r.PrevLogEntry != c.wantPrev || len(r.Entries) != c.left || c.left > 0 && r.Entries[0].Index != c.wantFirst {
			t.Errorf("%s: follows %d, %d entries", c.name, r.PrevLogEntry, len(r.Entries))
		}
		if changed := c.prev < snapshot; changed && r.PrevLogTerm != term || !changed && r.PrevLogTerm != 3 {
			t.Errorf("%s: follows an entry of term %d", c.name, r.PrevLogTerm)
		}
	}
	heartbeat := &raft.AppendEntriesRequest{Term: 5}
	if skipCovered(heartbeat, snapshot, term); heartbeat.PrevLogEntry != 0 {
		t.Error("a heartbeat is changed")
	}
}

// TestRepairedMemberIsFound: what the leader is told of entries that the snapshot covers.
func TestRepairedMemberIsFound(t *testing.T) {
	a := startMember(t, "a", nil)
	b := startMember(t, "b", func(c *Config) { c.Covered = func() (uint64, uint64) { return 7, 2 } })
	follows := make(chan uint64, 1)
	b.answerAll(t, func(rpc raft.RPC) (any, error) {
		follows <- rpc.Command.(*raft.AppendEntriesRequest).PrevLogEntry
		return success(rpc)
	})
	answer := &raft.AppendEntriesResponse{}
	if err := a.AppendEntries(b.id, b.address, appendOf(a, 3, 2, 10), answer); err != nil || !answer.Success {
		t.Fatalf("%+v, %v", answer, err)
	}
	if prev := <-follows; prev != 7 {
		t.Errorf("raft is asked for what follows %d", prev)
	}
}
