package fsm

import (
	"context"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/journal"
)

// errNotStarted: the journal is left from another run, until a snapshot is restored or the log begins.
var errNotStarted = errors.New("the state machine has not started")

func (f *FSM) hasStarted() error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if !f.started {
		return errNotStarted
	}
	return nil
}

// JournalEnd is the position behind the newest entry.
func (f *FSM) JournalEnd() journal.Position { return f.journal.End() }

// JournalHoles are the parts of the journal that are not here, oldest first; none before the state machine has started.
func (f *FSM) JournalHoles() []journal.Hole {
	if f.hasStarted() != nil {
		return nil
	}
	return f.journal.Holes()
}

// JournalMissing receives a value when there may be a new hole. One goroutine may listen.
func (f *FSM) JournalMissing() <-chan struct{} { return f.journal.Missing() }

// WriteBackJournal has the journal go to the device piece by piece as it grows, until ctx ends or it fails. One goroutine may.
func (f *FSM) WriteBackJournal(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.journal.Grown():
			if f.orDie(f.journal.WriteBack()) != nil {
				return
			}
		}
	}
}

// FillJournal starts to fill a hole, or goes on: see journal.Journal.Fill.
func (f *FSM) FillJournal(h journal.Hole) (*journal.Filler, error) {
	if err := f.hasStarted(); err != nil {
		return nil, err
	}
	return f.journal.Fill(h)
}

// DistrustJournal makes everything before a hole part of it: see journal.Journal.Distrust.
func (f *FSM) DistrustJournal(h journal.Hole) error { return f.journal.Distrust(h) }

// ReadJournal reads whole entries that follow entry after, checked, for another member: at most maxBytes and journal.MaxRead,
// but at least one; none where the journal ends. ErrMissing: the next one is not here either. ErrUnknownEntry: the journal
// ends before entry after.
func (f *FSM) ReadJournal(after uint64, maxBytes int) ([]byte, error) {
	if err := f.hasStarted(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	entries, err := f.journal.ReadEntries(after, maxBytes)
	if errors.Is(err, journal.ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrUnknownEntry, err)
	}
	return entries, err
}

// VerifyJournal reads the journal again behind entry from and checks it. What is damaged becomes a hole: see
// journal.Journal.Verify.
func (f *FSM) VerifyJournal(ctx context.Context, from uint64, pace func(ctx context.Context, bytes int) error) (next uint64, err error) {
	if err := f.hasStarted(); err != nil {
		return from, err
	}
	return f.journal.Verify(ctx, from, pace)
}
