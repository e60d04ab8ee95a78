package fsm

import (
	"context"
	"errors"
	"sync"
)

// ErrHeld: no snapshot is taken now, because one of another member is about to be installed.
var ErrHeld = errors.New("snapshots are held back: another member's is being installed")

// Snapshotting reports whether a mark is pinned. It is until its Release, when raft has also noted the snapshot's index.
func (f *FSM) Snapshotting() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.pinned != nil
}

// HoldSnapshots keeps this member from taking snapshots until release is called: marks are skipped, and one that is being
// written gives up. It waits, at most until ctx ends, until that one is released. Not to be called on raft's
// own goroutine, which raft may need to get there.
func (f *FSM) HoldSnapshots(ctx context.Context) (release func(), err error) {
	f.mu.Lock()
	f.holds++
	var idle chan struct{}
	if f.pinned != nil {
		if f.idle == nil {
			f.idle = make(chan struct{})
		}
		idle = f.idle
	}
	f.mu.Unlock()
	release = sync.OnceFunc(func() {
		f.mu.Lock()
		f.holds--
		f.mu.Unlock()
	})
	if idle == nil {
		return release, nil
	}
	select {
	case <-idle:
		return release, nil
	case <-ctx.Done():
		release()
		return nil, ctx.Err()
	}
}

// unpin notes that the mark was released. The caller holds mu.
func (f *FSM) unpin() {
	f.pinned = nil
	f.settle()
	if f.idle != nil {
		close(f.idle)
		f.idle = nil
	}
}
