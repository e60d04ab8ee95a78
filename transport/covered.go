package transport

import "github.com/hashicorp/raft"

// skipCovered shortens a request of the leader's by the entries that this member's snapshot of index and term has: they are
// committed, so the leader has the same. What is left follows the snapshot, which raft compares.
//
// Without it a member that took in a snapshot by itself, and so has no log, is never found by a leader that still has all of
// the log: raft goes back from entry to entry to find one that both have, and never forward to the snapshot.
func skipCovered(r *raft.AppendEntriesRequest, index, term uint64) {
	if isHeartbeat(r) || r.PrevLogEntry >= index {
		return
	}
	skip := min(index-r.PrevLogEntry, uint64(len(r.Entries)))
	if skip > 0 && r.Entries[skip-1].Index != r.PrevLogEntry+skip {
		return // raft refuses it
	}
	r.PrevLogEntry, r.PrevLogTerm, r.Entries = index, term, r.Entries[skip:]
}
