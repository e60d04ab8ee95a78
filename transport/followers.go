package transport

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// Told is what a member tells its leader with each answer to an append.
type Told struct {
	// Settled is the newest snapshot mark that it has applied and is done with: it would not skip the next one.
	Settled uint64
	// Damaged is the index of its newest snapshot where that is damaged on its disk; 0: it is not.
	Damaged uint64
}

// Follower is a member as this one, the leader, knows it from the answers to its appends.
type Follower struct {
	Told
	// UpTo is how far its log is known to be the leader's, in Term.
	Term, UpTo uint64
	// Heard is when it answered last, heartbeats included.
	Heard time.Time
}

// silentAfter is how long a member may be silent and still count as there. Heartbeats wait for its raft's main loop.
const silentAfter = 3 * time.Second

// Follows reports whether a member answers at present, and its log goes to index at least in this term.
func (f Follower) Follows(term, index uint64, now time.Time) bool {
	return f.Term == term && f.UpTo >= index && now.Sub(f.Heard) < silentAfter
}

// followers are what the answers of all members say. Members that are no more stay in it: a few words each.
type followers struct {
	mu  sync.Mutex
	all map[raft.ServerID]Follower
}

// note takes a successful answer to a request of this member's.
func (f *followers) note(id raft.ServerID, r *raft.AppendEntriesRequest, m *raftv1.AppendEntriesResponse, now time.Time) {
	if !m.GetSuccess() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = map[raft.ServerID]Follower{}
	}
	one := f.all[id]
	if one.Term != r.Term {
		one = Follower{Term: r.Term}
	}
	if !isHeartbeat(r) { // that is a success whatever the log holds
		one.UpTo = max(one.UpTo, r.PrevLogEntry+uint64(len(r.Entries)))
	}
	one.Heard = now
	one.Told = Told{Settled: m.GetSettledMark(), Damaged: m.GetDamagedSnapshot()}
	f.all[id] = one
}

func (f *followers) get(id raft.ServerID) Follower {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all[id]
}

// Follower is what is known of a member; zero: nothing.
func (t *Transport) Follower(id raft.ServerID) Follower { return t.followers.get(id) }
