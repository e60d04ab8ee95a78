package fsm

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/guard"
	"github.com/ballastdb/ballast/internal/vfs"
)

// Config of a state machine.
type Config struct {
	// Dir holds the journal, in Dir/journal. It must exist.
	Dir string
	// FS that Dir is on, nil: the real one.
	FS vfs.FS
	// SegmentBytes of the journal, 0: journal.DefaultSegmentBytes.
	SegmentBytes uint64
	// Logger, nil: none.
	Logger hclog.Logger
	// Fatal must end the process: the state machine met something that it must not go beyond. Where it returns, nothing
	// is applied any more.
	Fatal func(error)
}

// Guards of UPSTREAM rows.
const (
	guardAppliedIndex guard.Name = "AppliedIndex"
	guardShutdown     guard.Name = "shutdown"
	guardRestore      guard.Name = "Restore"
)

// Errors.
var (
	// ErrShuttingDown: BeginShutdown was called. A Response with it says nothing about the proposal: it is committed and
	// will be applied after the next start.
	ErrShuttingDown = errors.New("the state machine is shutting down")
	// ErrOrder: raft delivered an index that is not above the one before.
	ErrOrder = errors.New("log entry out of order")
)

// FSM is the state machine. Raft calls Apply, ApplyBatch, Snapshot and Restore from one goroutine; everything else may be
// called from anywhere.
type FSM struct {
	logger  hclog.Logger
	fatal   func(error)
	running atomic.Bool // raft has started
	journal *journal.Journal
	applied applied
	upkeep  upkeepWatch
	marks   chan *Mark // has room for the one that is pinned
	now     func() time.Time

	// Only raft's goroutine touches these.
	decoder proposal.Decoder
	out     ledger.Output
	replay  replay

	// mu guards what follows. It is held for one proposal, or one page of a snapshot, at a time.
	mu          sync.RWMutex
	state       *state
	receiver    *Receiver     // takes in another member's snapshot, or has one ready; nil: none
	started     bool          // the journal holds what the state says; before, it is left from another run
	index, term uint64        // of the newest log entry that the state shows
	since       Weight        // the log since the newest mark
	pinned      *Mark         // nil: none
	settled     atomic.Uint64 // mark: see Settled
	last        *Mark         // that was released; nil: none
	skipped     uint64        // marks at which nothing was pinned
	holds       int           // why no snapshot is taken
	idle        chan struct{} // closed when nothing is pinned; nil: nobody waits
	stopped     error         // nothing is applied and nothing snapshotted any more
}

var _ raft.BatchingFSM = (*FSM)(nil)

// Open opens a state machine with an empty state and the journal in Dir. Raft then restores the newest snapshot, if
// there is one, and replays the log.
func Open(c Config) (*FSM, error) {
	if c.Fatal == nil {
		return nil, errors.New("open state machine: Config.Fatal is missing")
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	j, err := journal.Open(journal.Config{
		Dir: filepath.Join(c.Dir, "journal"), FS: c.FS, Format: entryFormat{}, SegmentBytes: c.SegmentBytes, Logger: c.Logger.Named("journal"),
	})
	if err != nil {
		return nil, fmt.Errorf("open state machine: %w", err)
	}
	return &FSM{logger: c.Logger, fatal: c.Fatal, journal: j, state: newState(), marks: make(chan *Mark, 1), now: time.Now}, nil
}

// BeginShutdown stops the state machine for good: from its return on nothing is applied and nothing is snapshotted, and
// nobody waits for an index. Call it before raft.Shutdown, during which raft may drop a batch and still deliver the
// next: a state with a gap must not be seen or kept.
func (f *FSM) BeginShutdown() { f.stop(ErrShuttingDown) }

// Halt is BeginShutdown for another reason, which is what whoever waits is told: the state is not to be trusted.
func (f *FSM) Halt(reason error) { f.stop(reason) }

func (f *FSM) stop(err error) {
	f.mu.Lock()
	if f.stopped == nil {
		f.stopped = err
	}
	f.mu.Unlock()
	f.applied.stop(err)
}

// die stops the state machine and the process.
func (f *FSM) die(err error) {
	f.stop(err)
	f.logger.Error("state machine stops the process", "error", err)
	f.fatal(err)
}

// halted is why nothing may be applied or snapshotted; nil while it may. The caller holds mu.
func (f *FSM) halted() error {
	if errors.Is(f.stopped, ErrShuttingDown) && !guard.On(guardShutdown) {
		return nil
	}
	return f.stopped
}

// Close closes the journal. Raft must have been shut down.
func (f *FSM) Close() error {
	f.BeginShutdown()
	return f.journal.Close()
}
