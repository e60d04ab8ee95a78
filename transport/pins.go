package transport

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// pins keep this member's log from a snapshot's index on while the snapshot is on its way to a member, and a while after:
// the member needs what follows it, and would need another snapshot without.
type pins struct {
	mu     sync.Mutex
	closed bool
	after  map[raft.ServerID]*pin // those of members that were sent one
}

type pin struct {
	release func()
	timer   *time.Timer
}

// keep lets a pin go after the given time, and one that was kept for the same member at once.
func (p *pins) keep(id raft.ServerID, release func(), after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		release()
		return
	}
	if p.after == nil {
		p.after = map[raft.ServerID]*pin{}
	}
	if old := p.after[id]; old != nil && old.timer.Stop() {
		old.release()
	}
	one := &pin{release: release}
	one.timer = time.AfterFunc(after, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.after[id] == one {
			delete(p.after, id)
		}
		release()
	})
	p.after[id] = one
}

// close lets all go.
func (p *pins) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, one := range p.after {
		if one.timer.Stop() {
			one.release()
		}
	}
	p.after = nil
}
