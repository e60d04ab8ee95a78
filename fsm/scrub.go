package fsm

import (
	"context"
	"errors"

	"github.com/ballastdb/ballast/fsm/page"
)

// scrubPages is how many pages MemoryScrub looks at in one call, each under a shared lock of its own.
const scrubPages = 16

// MemoryScrub walks over the pages of the state in memory and compares them with what was written to them: what the
// incremental digest cannot see. Nothing is applied while it looks at a page. For one goroutine.
type MemoryScrub struct {
	f      *FSM
	state  *state // that cursor is a place in
	cursor page.Cursor
}

// MemoryScrub returns one that is at the beginning.
func (f *FSM) MemoryScrub() *MemoryScrub { return &MemoryScrub{f: f} }

// Name of what is scrubbed.
func (m *MemoryScrub) Name() string { return "memory" }

// Next looks at some pages. more is false behind the last one, and when nothing is applied any more. The error is a
// *page.MemoryError, or ctx's.
func (m *MemoryScrub) Next(ctx context.Context) (bytes int, more bool, err error) {
	for range scrubPages {
		if err := ctx.Err(); err != nil {
			return bytes, true, err
		}
		if more, err = m.page(); err != nil || !more {
			return bytes, more, err
		}
		bytes += page.Size
	}
	return bytes, true, nil
}

func (m *MemoryScrub) page() (more bool, err error) {
	m.f.mu.RLock()
	defer m.f.mu.RUnlock()
	if m.f.stopped != nil {
		return false, nil
	}
	if m.state != m.f.state { // a snapshot has replaced it
		m.state, m.cursor = m.f.state, page.Cursor{}
	}
	return m.state.space().CheckNext(&m.cursor)
}

// scrubJournalBytes is how much of the journal JournalScrub reads in one call.
const scrubJournalBytes = 256 << 10

// JournalScrub reads the journal on the disk again and follows its chain. What it finds damaged is set aside, and fetched
// from other members. For one goroutine.
type JournalScrub struct {
	f  *FSM
	at uint64 // sequence of the last entry read
}

// JournalScrub returns one that is at the beginning.
func (f *FSM) JournalScrub() *JournalScrub { return &JournalScrub{f: f} }

// Name of what is scrubbed.
func (s *JournalScrub) Name() string { return "journal" }

// errEnough ends a call of Next.
var errEnough = errors.New("enough was read")

// Next reads some entries. more is false behind the last one, and when nothing is applied any more. The error names segment
// and entry, and is journal.ErrCorrupt, or ctx's.
func (s *JournalScrub) Next(ctx context.Context) (bytes int, more bool, err error) {
	if s.f.Halted() != nil || s.f.hasStarted() != nil {
		return 0, false, nil
	}
	next, err := s.f.journal.Verify(ctx, s.at, func(_ context.Context, n int) error {
		if bytes += n; bytes >= scrubJournalBytes {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if s.at = next; next < s.f.journal.End().Sequence {
		return bytes, true, err
	}
	s.at = 0
	return bytes, false, err
}
