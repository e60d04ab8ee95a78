package transport

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// urgency is how soon a member is to be brought up to date.
type urgency int

const (
	// ordinary members do not vote.
	ordinary urgency = iota
	// voting ones do.
	voting
	// needed ones are voters without which nothing is committed: without them no majority of the voters is up to date. Callers
	// wait for them, so nothing is done to spare callers meanwhile.
	needed
)

// urgencyOf judges the member that a snapshot is offered to. Whose log goes to the snapshot's index needs none and counts as up to
// date: the rest comes with the log.
func (t *Transport) urgencyOf(id raft.ServerID, r *raft.InstallSnapshotRequest, now time.Time) urgency {
	voters := t.config.Voters()
	if !slices.Contains(voters, id) {
		return ordinary
	}
	upToDate := 0
	for _, v := range voters {
		if v != id && (v == t.config.LocalID || t.followers.get(v).Follows(r.Term, r.LastLogIndex, now)) {
			upToDate++
		}
	}
	if upToDate < len(voters)/2+1 {
		return needed
	}
	return voting
}

// hurry tells the calls for pages of one offer whether they are urgent.
type hurry struct {
	mu   sync.Mutex
	slow context.Context // ends when they become urgent
	end  context.CancelFunc
}

func newHurry() *hurry {
	h := &hurry{}
	h.slow, h.end = context.WithCancel(context.Background())
	return h
}

// set is told what the leader says.
func (h *hurry) set(urgent bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case urgent:
		h.end()
	case h.slow.Err() != nil:
		h.slow, h.end = context.WithCancel(context.Background())
	}
}

// get reports whether calls are urgent; until ends when that becomes so.
func (h *hurry) get() (until context.Context, urgent bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.slow, h.slow.Err() != nil
}
