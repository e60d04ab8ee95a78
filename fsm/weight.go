package fsm

import "github.com/ballastdb/ballast/fsm/page"

// entryOverhead is about what a log entry takes on the disk beside its data, bytes.
const entryOverhead = 64

// Weight tells whether a snapshot mark is due.
type Weight struct {
	// Mark is the index of the newest mark that was applied, or of the snapshot that was restored.
	Mark uint64
	// Configuration is the index of the newest change of raft's configuration that was applied since the process started, 0:
	// none. (Raft itself does not tell it: GetConfiguration's index is always 0.)
	Configuration uint64
	// LogBytes and Entries are the log entries applied since then.
	LogBytes, Entries uint64
	// SnapshotBytes is about what a snapshot would write now: the pages that changed since then.
	SnapshotBytes uint64
	// Busy: a mark is pinned here, and another one would be skipped.
	Busy bool
	// Skipped counts the marks at which no snapshot was taken since the process started.
	Skipped uint64
}

// Settled is the newest mark that was applied here and is done with: its snapshot is published, was given up, or was skipped,
// and the next mark would not be skipped. It waits for nothing.
func (f *FSM) Settled() uint64 { return f.settled.Load() }

// settle notes what Settled answers. The caller holds mu.
func (f *FSM) settle() {
	settled := f.since.Mark
	if f.pinned != nil {
		settled = min(settled, max(f.pinned.header.index, 1)-1)
	}
	f.settled.Store(settled)
}

// Weight since the newest mark.
func (f *FSM) Weight() Weight {
	f.mu.RLock()
	defer f.mu.RUnlock()
	w := f.since
	w.SnapshotBytes = f.state.space().ChangedPages() * page.Size
	w.Busy, w.Skipped = f.pinned != nil, f.skipped
	return w
}
