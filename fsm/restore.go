package fsm

import (
	"errors"
	"fmt"
	"io"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/guard"
)

// PageSource is an opened snapshot.
type PageSource interface {
	// Meta is what Finish was given.
	Meta() []byte
	// Walk yields every page in order, its checksum verified; the data is valid until yield returns.
	Walk(yield func(page.Page) error) error
}

// errNoPages: another snapshot store than one that keeps pages was wired.
var errNoPages = errors.New("the snapshot store keeps no pages")

// Restore is raft.FSM's: it reads a snapshot into a fresh state, verifies all of it, and only then puts it in the place
// of the present one. r must be a PageSource, or a wrapper of one such as raft's. A failure ends the process: raft would
// go on and apply later entries to the old state. Raft closes the reader.
func (f *FSM) Restore(r io.ReadCloser) error {
	err := f.restore(r)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("restore snapshot: %w", err)
	if f.Halted() == nil && guard.On(guardRestore) {
		f.die(err)
	}
	return err
}

// pageSource looks below what raft wraps a reader in.
func pageSource(r io.ReadCloser) (PageSource, error) {
	for {
		switch v := r.(type) {
		case PageSource:
			return v, nil
		case interface{ WrappedReadCloser() io.ReadCloser }:
			r = v.WrappedReadCloser()
		default:
			return nil, fmt.Errorf("%w: it opens a %T", errNoPages, r)
		}
	}
}

func (f *FSM) restore(r io.ReadCloser) error {
	if err := f.Halted(); err != nil {
		return err
	}
	source, err := pageSource(r)
	if err != nil {
		return err
	}
	header, err := decodeSnapshotHeader(source.Meta())
	if err != nil {
		return err
	}
	if err := header.applicable(); err != nil {
		return err
	}
	if index, _ := f.Applied(); header.index < index {
		return fmt.Errorf("%w: the snapshot is at index %d, the state is at %d already", ErrOrder, header.index, index)
	}
	next, received, err := f.nextState(source, &header)
	if err != nil {
		return err
	}
	if err := f.swap(next, &header, received); err != nil {
		return err
	}
	f.logger.Info("restored a snapshot", "index", header.index, "term", header.term, "entries", header.journal.Sequence, "digest", header.digest)
	return nil
}

// nextState is the state of the snapshot: the one that was built while it was received, or loaded at the start, or one that is
// read now. received: it is another member's.
func (f *FSM) nextState(source PageSource, header *snapshotHeader) (next *state, received bool, err error) {
	if next := f.takeReceived(header); next != nil {
		return next, f.running.Load(), nil
	}
	if next, err = f.load(source); err != nil {
		return nil, false, err
	}
	return next, false, next.complete(header, nil)
}

// complete derives what is not in pages, after all of them were loaded, and checks that they are the state that the header
// names.
func (s *state) complete(header *snapshotHeader, breathe page.Breathe) error {
	if err := s.space().Loaded(breathe); errors.Is(err, page.ErrLoad) {
		return fmt.Errorf("%w: %w", ErrCorruptSnapshot, err)
	} else if err != nil {
		return err
	}
	if got := s.space().Digest(); got != header.digest { // just computed from the pages
		return corruptSnapshot("the digest of its pages is %v, it says %v", got, header.digest)
	}
	if err := s.rebuild(breathe); err != nil {
		return err
	}
	return s.is(header)
}

// is compares a loaded state with the header.
func (s *state) is(h *snapshotHeader) error {
	switch {
	case s.position() != h.journal:
		return corruptSnapshot("its state has a journal to %+v, it says %+v", s.position(), h.journal)
	case s.version() != h.version || s.books.LogTime() != h.logTime:
		return corruptSnapshot("its state is at cluster version %d and log time %d, it says %d and %d", s.version(), s.books.LogTime(), h.version, h.logTime)
	case s.space().NewestIndex() > h.index:
		return corruptSnapshot("its state changed at index %d, it says %d", s.space().NewestIndex(), h.index)
	}
	return nil
}

// swap puts the verified state in the place of the present one, its journal first.
func (f *FSM) swap(next *state, header *snapshotHeader, received bool) error {
	f.mu.Lock()
	err := f.halted()
	if err == nil {
		err = next.space().SharedWith(f.state.space())
	}
	if err == nil {
		err = f.placeJournal(header.journal, received)
	}
	if err != nil {
		f.mu.Unlock()
		return err
	}
	next.space().Unshare()
	f.state, f.index, f.term, f.started = next, header.index, header.term, true
	next.space().Rebase()
	f.since = Weight{Mark: header.index, Configuration: f.since.Configuration}
	f.settle()
	f.mu.Unlock()
	f.applied.publish(header.index, header.term)
	f.tellUpkeep()
	return nil
}

// placeJournal makes the journal end at want, in constant time: raft's main loop waits. What follows is cut; the log writes
// it again. What is not here is a hole, which is filled from other members while this one votes and serves balances.
func (f *FSM) placeJournal(want journal.Position, received bool) error {
	if err := f.journal.Place(want); err != nil {
		return err
	}
	holes := f.journal.Holes()
	if len(holes) == 0 {
		return nil
	}
	hole := holes[len(holes)-1]
	fields := []any{
		"from", hole.After.Sequence + 1, "to", hole.Until.Sequence, "bytes", hole.Bytes(), "holes", len(holes),
	}
	if received {
		f.logger.Info("entries of the journal are still to be fetched from other members; statements that need them say so", fields...)
	} else {
		f.logger.Error("entries of the journal that belong to the snapshot are not on this disk: damaged, lost, or not fetched yet; they are "+
			"fetched from other members, and until then statements that need them say so", fields...)
	}
	return nil
}
