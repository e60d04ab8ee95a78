package fsm

import (
	"context"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/roster"
)

// Applied is the newest log entry that reads are sure to see.
func (f *FSM) Applied() (index, term uint64) { return f.applied.get() }

// WaitApplied waits until the state shows index. Its error is ctx's, or why nothing is applied any more. Only commands
// and configurations reach the state machine: an index of another entry may never be applied.
func (f *FSM) WaitApplied(ctx context.Context, index uint64) error { return f.applied.wait(ctx, index) }

// Halted is why nothing is applied any more: ErrShuttingDown, or what Config.Fatal was told; nil while it works.
func (f *FSM) Halted() error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.halted()
}

// Read calls fn with the books. Nothing is applied until fn returns: it must be short, and keep nothing of them.
func (f *FSM) Read(fn func(*ledger.State)) { f.ReadIndexed(func(s *ledger.State, _ uint64) { fn(s) }) }

// ReadIndexed is Read with the log index that the books show.
func (f *FSM) ReadIndexed(fn func(s *ledger.State, index uint64)) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	fn(f.state.books, f.index)
}

// NextDue is the log time at which something happens by itself, Unix nanoseconds, see ledger.State.NextDue; false: nothing will.
func (f *FSM) NextDue() (at int64, ok bool) {
	f.Read(func(s *ledger.State) { at, ok = s.NextDue() })
	return at, ok
}

// MarkerTerm is the highest term whose marker was applied: all entries of earlier terms are, too.
func (f *FSM) MarkerTerm() uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.state.markerTerm()
}

// ClusterVersion is the cluster version in force.
func (f *FSM) ClusterVersion() uint32 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.state.version()
}

// Checkpoints are the newest checkpoints, newest first, at most 16.
func (f *FSM) Checkpoints() []Checkpoint {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.state.checkpoints.all()
}

// LastCheckpointCovers tells whether nothing has changed since the newest checkpoint. Otherwise a leader that has come to
// rest proposes one, so that members can be compared.
func (f *FSM) LastCheckpointCovers() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.state.checkpoints.newest().Index == f.state.space().NewestIndex()
}

// Members are the members in the roster.
func (f *FSM) Members() []roster.Member {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.state.members.Members()
}

// Member is the member with a raft server id.
func (f *FSM) Member(id string) (roster.Member, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.state.members.Member(id)
}
