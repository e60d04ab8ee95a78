package fsm

import (
	"context"
	"errors"
	"sync"
)

// ErrHeld: no snapshot is taken now, because one of another member is about to be installed.
var ErrHeld = errors.New("snapshots are held back: another member's is being installed")

// Snapshotting reports whether a snapshot is pinned: from Snapshot to Release, which raft calls when it has also noted
// the snapshot's index.
func (f *FSM) Snapshotting() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.pinned > 0
}

// HoldSnapshots keeps this member from taking snapshots until release is called: new ones are refused, and one that is
// being persisted gives up. It waits, at most until ctx ends, until raft has released that one. Not to be called on raft's
// own goroutine, which raft may need to get there.
func (f *FSM) HoldSnapshots(ctx context.Context) (release func(), err error) {
	f.mu.Lock()
	f.holds++
	var idle chan struct{}
	if f.pinned > 0 {
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

// unpin counts a snapshot that was released. The caller holds mu.
func (f *FSM) unpin() {
	f.pinned--
	if f.pinned == 0 && f.idle != nil {
		close(f.idle)
		f.idle = nil
	}
}
