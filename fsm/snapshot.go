package fsm

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/page"
)

// PageSink is a raft.SnapshotSink that takes pages, and of those only what changed since the snapshot before.
type PageSink interface {
	raft.SnapshotSink
	// Changed reports whether the page must come with its data.
	Changed(id page.ID, index uint64) bool
	// Page takes every page of the state, in order; Data nil: it has not changed.
	Page(p page.Page) error
	// Finish takes what belongs to the pages. Close makes all of it durable.
	Finish(digest page.Digest, meta []byte) error
}

var (
	// errNoPages: another snapshot store than one that keeps pages was wired.
	errNoPages = errors.New("the snapshot store keeps no pages")
	// errReplaced ends a snapshot of a state that an installed one took the place of.
	errReplaced = errors.New("another snapshot was restored meanwhile")
)

// snapshot is the state pinned at an index; raft persists it beside further batches.
type snapshot struct {
	f      *FSM
	state  *state // that was pinned
	header snapshotHeader
	view   *page.View
}

// Snapshot is raft.FSM's: it pins the state, in constant time.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.halted(); err != nil {
		return nil, err
	}
	if f.index == 0 {
		return nil, raft.ErrNothingNewToSnapshot
	}
	if f.holds > 0 {
		return nil, ErrHeld
	}
	s := &snapshot{f: f, state: f.state, header: snapshotHeader{
		index: f.index, term: f.term, digest: f.state.space().Digest(), journal: f.state.position(), version: f.state.version(), logTime: f.state.books.LogTime(),
	}}
	if end := f.journal.End(); end != s.header.journal && f.started {
		return nil, fmt.Errorf("the journal ends at %+v, the state says %+v: not snapshotted", end, s.header.journal)
	}
	s.view = f.state.space().View(f.mu.RLocker())
	f.pinned++
	return s, nil
}

// position is where the journal ends that belongs to the state.
func (s *state) position() journal.Position {
	return journal.Position{Sequence: s.books.Sequence(), Bytes: s.books.JournalBytes(), Hash: journal.Hash(s.books.JournalHash())}
}

// Persist is raft.FSMSnapshot's: it gives the sink, which must be a PageSink, the pages that changed, holding up batches
// for the copy of one page at a time. The journal that the snapshot names is durable before the snapshot is.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	err := s.write(sink)
	if err == nil {
		err = s.f.syncJournal()
	}
	if err == nil {
		err = s.current()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("persist snapshot at index %d: %w", s.header.index, err), sink.Cancel())
	}
	return sink.Close()
}

// current is nil while the snapshot may be published. What shuts down keeps nothing more. And where a snapshot is about to
// be installed, or was meanwhile, publishing this older one would have raft move its last index back, on a member that may
// have acknowledged more.
func (s *snapshot) current() error {
	s.f.mu.RLock()
	defer s.f.mu.RUnlock()
	if err := s.f.halted(); err != nil {
		return err
	}
	if s.f.state != s.state {
		return errReplaced
	}
	if s.f.holds > 0 {
		return ErrHeld
	}
	return nil
}

// syncJournal makes the journal durable, or ends the process: what is on disk is unknown then, and a later fsync can
// falsely succeed.
func (f *FSM) syncJournal() error {
	err := f.journal.Sync()
	if err != nil && f.Halted() == nil {
		f.die(err)
	}
	return err
}

func (s *snapshot) write(sink raft.SnapshotSink) error {
	pages, ok := sink.(PageSink)
	if !ok {
		return fmt.Errorf("%w: it offers a %T", errNoPages, sink)
	}
	err := s.view.Changed(pages.Changed, func(p page.Page) error {
		if err := s.current(); err != nil {
			return err
		}
		return pages.Page(p)
	})
	if err != nil {
		return err
	}
	return pages.Finish(s.header.digest, s.header.encode())
}

// Release is raft.FSMSnapshot's.
func (s *snapshot) Release() {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if s.view == nil {
		return
	}
	s.view.Close()
	s.view = nil
	s.f.unpin()
}
