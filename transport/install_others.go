package transport

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// awaitOthers waits until another member can give pages of the snapshot, where one is about to: members write the same mark at
// about the same time, and what is offered before any other has published it the leader must send alone. Who is needed is not made
// to wait.
func (s *sending) awaitOthers() error {
	t := s.peer.transport
	limit, tick := time.NewTimer(t.config.Timeouts.InstallOthers), time.NewTicker(termCheck)
	defer limit.Stop()
	defer tick.Stop()
	for s.urgency() != needed && t.followers.writing(s.peer.id, s.args, time.Now()) {
		select {
		case <-tick.C:
		case <-limit.C:
			return nil
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	}
	return nil
}

// writing reports whether members that follow, but for the one that a snapshot is offered to, are still at its mark, and none is done with it.
// Who has told of no mark yet is not waited for.
func (f *followers) writing(to raft.ServerID, r *raft.InstallSnapshotRequest, now time.Time) (some bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, one := range f.all {
		if id == to || one.Settled == 0 || !one.Follows(r.Term, r.LastLogIndex, now) {
			continue
		}
		if one.Settled >= r.LastLogIndex {
			return false
		}
		some = true
	}
	return some
}
