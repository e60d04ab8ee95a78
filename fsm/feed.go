package fsm

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/ledger"
)

// Head is where the state stands, all of it at one index.
type Head struct {
	// Index of the log that the state shows, and log time there, Unix nanoseconds.
	Index   uint64
	LogTime int64
	// Sequence is the newest entry's number, 0: there is none.
	Sequence uint64
	// Link is that entry's: see ledger.Entry. 0: there is none.
	Link uint64
}

// Head tells where the state stands.
func (f *FSM) Head() (h Head) {
	f.ReadIndexed(func(s *ledger.State, index uint64) {
		h = Head{Index: index, LogTime: s.LogTime(), Sequence: s.Sequence(), Link: s.JournalHash()[0]}
	})
	return h
}

// LinkAt is the link of an entry that the state has, 0 for entry 0. ErrMissing: it is not here yet. ErrChanged: a snapshot
// replaced the journal meanwhile.
func (f *FSM) LinkAt(sequence uint64) (uint64, error) {
	if sequence == 0 {
		return 0, nil
	}
	if err := f.hasStarted(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	at, err := f.journal.At(sequence)
	return at.Hash[0], readError(sequence, err)
}

// Feed reads entries forward, for one reader at a time. It holds nothing but an open file: how slow its reader is
// concerns nobody else. Close it.
type Feed struct {
	machine *FSM
	cursor  *journal.Cursor
}

// OpenFeed opens a feed. It reads no file yet.
func (f *FSM) OpenFeed() *Feed { return &Feed{machine: f, cursor: f.journal.Cursor()} }

// Close closes the feed's file.
func (d *Feed) Close() error { return d.cursor.Close() }

// Read reads the entries that follow entry after, up to entry until, which the state has, in order: some of them where
// there are any, of at most maxBytes as they are stored, but at least one. They are the caller's to keep. ErrMissing: the
// next one is not here yet. ErrChanged: a snapshot replaced the journal meanwhile.
func (d *Feed) Read(after, until uint64, maxBytes int) ([]StatementEntry, error) {
	if after >= until {
		return nil, nil
	}
	if err := d.machine.hasStarted(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	b, err := d.cursor.Following(after, maxBytes)
	if err != nil {
		return nil, readError(after+1, err)
	}
	var entries []StatementEntry
	for len(b) > 0 {
		e, n, err := ledger.DecodeEntry(b)
		if err != nil {
			return nil, fmt.Errorf("entry behind %d: %w", after, err)
		}
		if e.Sequence > until {
			break
		}
		entries = append(entries, StatementEntry{Entry: e})
		after, b = e.Sequence, b[n:]
	}
	if len(entries) == 0 {
		return nil, readError(after+1, journal.ErrReplaced) // the state has more than the journal now
	}
	d.machine.name(entries)
	return entries, nil
}

// readEntry reads an entry into memory of its own.
func readEntry(c *journal.Cursor, sequence uint64) (ledger.Entry, error) {
	b, err := c.Entry(sequence)
	if err != nil {
		return ledger.Entry{}, readError(sequence, err)
	}
	e, _, err := ledger.DecodeEntry(bytes.Clone(b))
	if err != nil {
		return ledger.Entry{}, fmt.Errorf("entry %d: %w", sequence, err)
	}
	return e, nil
}

// readError is what keeps an entry that the state has from being read, in this package's words.
func readError(sequence uint64, err error) error {
	if errors.Is(err, journal.ErrReplaced) || errors.Is(err, journal.ErrNotFound) {
		return fmt.Errorf("%w: entry %d: %w", ErrChanged, sequence, err)
	}
	return err
}
