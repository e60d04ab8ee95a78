package fsm

import (
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/guard"
)

// PageSink takes the pages of a snapshot, and of those only what changed since the snapshot before.
type PageSink interface {
	// Changed reports whether the page must come with its data.
	Changed(id page.ID, index uint64) bool
	// Page takes every page of the state, in order; Data nil: it has not changed.
	Page(p page.Page) error
	// Finish takes what belongs to the pages.
	Finish(digest page.Digest, meta []byte) error
}

// Mark is the state pinned at a log index, in constant time: at a snapshot mark, where all members pin theirs, so that
// their snapshots are equal page for page. At most one is pinned at a time, until Release.
//
//	pinned ── Write ── Offer ── raft asks Snapshot, which publishes it ── Release
//
// A hold (HoldSnapshots), a restored snapshot and a shutdown end it at any step: Err tells.
type Mark struct {
	f      *FSM
	state  *state // that was pinned
	header snapshotHeader
	view   *page.View // nil once all pages were read; mu guards it
	pages  uint64     // of the state
	// mu of the FSM guards these too.
	offered  bool
	released bool
}

// guardMark is the guard of an UPSTREAM rule: members' snapshots are equal only where they were pinned at one index.
const guardMark guard.Name = "mark"

var (
	// ErrReplaced ends a mark: a restored snapshot took the place of the state.
	ErrReplaced = errors.New("another snapshot was restored meanwhile")
	// ErrPinned: another mark is pinned.
	ErrPinned = errors.New("another snapshot mark is still being written")
)

// Marks yields every mark that is pinned. Its only reader must Release each of them.
func (f *FSM) Marks() <-chan *Mark { return f.marks }

// reachMark pins the state at a mark that was just applied. Where the one before is still being written, or snapshots are
// held back, this member goes without a snapshot of this mark: waiting would hold up all callers. The caller holds mu.
func (f *FSM) reachMark() {
	f.state.space().Rebase()
	f.since = Weight{Mark: f.index, Configuration: f.since.Configuration}
	m, err := f.pin()
	f.settle()
	if err != nil {
		f.skipped++
		f.logger.Info("no snapshot is taken at this mark", "index", f.index, "reason", err, "skipped", f.skipped)
		return
	}
	f.marks <- m // has room: only one is pinned
}

// PinExact pins the state as it is now, at no mark: for what must not lose what follows the newest mark, such as recovering
// from a lost majority, which empties the log. Members' snapshots are not equal at such a place.
func (f *FSM) PinExact() (*Mark, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pin()
}

// pin pins the present state. The caller holds mu.
func (f *FSM) pin() (*Mark, error) {
	switch {
	case f.halted() != nil:
		return nil, f.halted()
	case f.holds > 0:
		return nil, ErrHeld
	case f.pinned != nil:
		return nil, fmt.Errorf("%w: that of index %d", ErrPinned, f.pinned.header.index)
	}
	s := f.state
	m := &Mark{f: f, state: s, header: snapshotHeader{
		index: f.index, term: f.term, digest: s.space().Digest(), journal: s.position(), version: s.version(), logTime: s.books.LogTime(),
	}}
	if end := f.journal.End(); end != m.header.journal && f.started {
		return nil, fmt.Errorf("the journal ends at %+v, the state says %+v: not snapshotted", end, m.header.journal)
	}
	m.view, m.pages = s.space().View(f.mu.RLocker()), uint64(s.space().Bytes()/page.Size)
	f.pinned = m
	return m, nil
}

// position is where the journal ends that belongs to the state.
func (s *state) position() journal.Position {
	return journal.Position{Sequence: s.books.Sequence(), Bytes: s.books.JournalBytes(), Hash: journal.Hash(s.books.JournalHash())}
}

// Index and Term of the log entry that the state is pinned at.
func (m *Mark) Index() uint64 { return m.header.index }

// Term is that of the entry at Index.
func (m *Mark) Term() uint64 { return m.header.term }

// Pages is how many the pinned state has.
func (m *Mark) Pages() uint64 { return m.pages }

// Write gives the sink the pages that changed, holding up batches for the copy of one page at a time, and makes the journal
// durable that the snapshot names. Once. From then on nothing is preserved for the mark any more.
func (m *Mark) Write(sink PageSink) error {
	if !guard.On(guardMark) {
		m.move()
	}
	err := m.view.Changed(sink.Changed, func(p page.Page) error {
		if err := m.Err(); err != nil {
			return err
		}
		return sink.Page(p)
	})
	m.unview()
	if err == nil {
		err = sink.Finish(m.header.digest, m.header.encode())
	}
	if err == nil {
		err = m.f.syncJournal()
	}
	if err == nil {
		err = m.Err()
	}
	if err != nil {
		return fmt.Errorf("write snapshot of index %d: %w", m.header.index, err)
	}
	return nil
}

// Err is nil while the mark may be published. What shuts down keeps nothing more. And where a snapshot is about to be
// installed, or was meanwhile, publishing this older one would have raft move its last index back, on a member that may
// have acknowledged more.
func (m *Mark) Err() error {
	m.f.mu.RLock()
	defer m.f.mu.RUnlock()
	return m.err()
}

func (m *Mark) err() error {
	switch f := m.f; {
	case f.halted() != nil:
		return f.halted()
	case f.state != m.state:
		return ErrReplaced
	case f.holds > 0:
		return ErrHeld
	}
	return nil
}

// syncJournal makes the journal durable, or ends the process.
func (f *FSM) syncJournal() error { return f.orDie(f.journal.Sync()) }

// orDie ends the process where the journal could not be written: what is on disk is unknown then, and a later fsync can falsely
// succeed.
func (f *FSM) orDie(err error) error {
	if err != nil && f.Halted() == nil {
		f.die(err)
	}
	return err
}

// Offer has Snapshot give the mark, once. All that belongs to it but what publishes it must be durable.
func (m *Mark) Offer() {
	m.f.mu.Lock()
	defer m.f.mu.Unlock()
	m.offered = true
}

// move pins the state as it is now instead: what a snapshot is without marks.
func (m *Mark) move() {
	m.Release()
	if now, err := m.f.PinExact(); err == nil {
		m.header, m.view, m.released = now.header, now.view, false
		m.f.mu.Lock()
		m.f.pinned = m
		m.f.mu.Unlock()
	}
}

// unview ends what the mark costs while batches are applied.
func (m *Mark) unview() {
	m.f.mu.Lock()
	defer m.f.mu.Unlock()
	if m.view != nil {
		m.view.Close()
		m.view = nil
	}
}

// Release ends the mark, published or not. Releasing it again is harmless.
func (m *Mark) Release() {
	m.unview()
	m.f.mu.Lock()
	defer m.f.mu.Unlock()
	if m.released {
		return
	}
	m.released = true
	m.f.unpin()
	if !guard.On(guardNothingNew) {
		m.f.last = m // and its whole state
	}
}
