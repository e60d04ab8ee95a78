package fsm

import (
	"context"

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
