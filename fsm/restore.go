package fsm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/guard"
)

// Restore is raft.FSM's: it reads a snapshot into a fresh state, verifies all of it, and only then puts it in the place
// of the present one. A failure ends the process: raft would go on and apply later entries to the old state. Raft closes
// the reader.
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

func (f *FSM) restore(r io.Reader) error {
	if err := f.Halted(); err != nil {
		return err
	}
	in := newStreamReader(bufio.NewReaderSize(r, sinkBuffer))
	head := make([]byte, headerBytes)
	if err := in.fill(head, 0); err != nil {
		return err
	}
	header, err := decodeSnapshotHeader(head)
	if err != nil {
		return err
	}
	if index, _ := f.Applied(); header.index < index {
		return fmt.Errorf("%w: the snapshot is at index %d, the state is at %d already", ErrOrder, header.index, index)
	}
	next, pages, err := readState(in, &header)
	if err != nil {
		return err
	}
	commit, abort, err := f.readJournal(in, header.journal)
	if err != nil {
		return err
	}
	tag := make([]byte, 1)
	if err = in.fill(tag, 0); err == nil && tag[0] != tagEnd {
		err = corruptSnapshot("%q follows the journal, want the end", tag)
	}
	if err == nil {
		err = in.end(pages)
	}
	if err == nil {
		err = f.swap(next, &header, commit)
	}
	if err != nil {
		return errors.Join(err, abort())
	}
	f.logger.Info("restored a snapshot", "index", header.index, "term", header.term, "entries", header.journal.Sequence, "digest", header.digest)
	return nil
}

// swap puts the verified state and its journal in the place of the present ones.
func (f *FSM) swap(next *state, header *snapshotHeader, commitJournal func() error) error {
	f.mu.Lock()
	if err := f.halted(); err != nil {
		f.mu.Unlock()
		return err
	}
	if err := commitJournal(); err != nil {
		f.mu.Unlock()
		return err
	}
	f.state, f.index, f.term, f.started = next, header.index, header.term, true
	f.mu.Unlock()
	f.applied.publish(header.index, header.term)
	return nil
}

// readState reads the pages, up to the mark of the journal, and checks that they are the state that the header names.
func readState(in *streamReader, header *snapshotHeader) (*state, uint64, error) {
	next := newState()
	pages := uint64(0)
	head, data := make([]byte, pageHead), make([]byte, page.Size)
	for {
		if err := in.fill(head[:1], 0); err != nil {
			return nil, 0, err
		}
		if head[0] == tagJournal {
			break
		}
		if head[0] != tagPage {
			return nil, 0, corruptSnapshot("%q after page %d, want a page or the journal", head[:1], pages)
		}
		if err := readPage(in, head, data, next.space()); err != nil {
			return nil, 0, err
		}
		pages++
	}
	if err := next.space().Loaded(); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrCorruptSnapshot, err)
	}
	if got := next.space().Digest(); got != header.digest { // just computed from the pages
		return nil, 0, corruptSnapshot("the digest of its pages is %v, it says %v", got, header.digest)
	}
	if err := next.rebuild(); err != nil {
		return nil, 0, err
	}
	return next, pages, next.is(header)
}

func readPage(in *streamReader, head, data []byte, space *page.Space) error {
	if err := in.fill(head, 1); err != nil {
		return err
	}
	p, want, err := decodePageHead(head)
	if err != nil {
		return err
	}
	if err := in.fill(data, 0); err != nil {
		return err
	}
	if got := page.Checksum(p.ID, data); got != want {
		return corruptSnapshot("page %d of table %d has checksum %016x, it says %016x", p.Number, p.Table, got, want)
	}
	p.Data = data
	return space.Load(p)
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

// readJournal reads the journal, behind its tag, and tells how to put it in place. What is on disk already is not
// written again: at a start that is nearly always all of it.
func (f *FSM) readJournal(in *streamReader, want journal.Position) (commit, abort func() error, err error) {
	mark := make([]byte, markBytes)
	if err := in.fill(mark, 1); err != nil {
		return nil, nil, err
	}
	mark[0] = tagJournal
	if expected := encodeJournalMark(want.Bytes); !bytes.Equal(mark, expected) {
		return nil, nil, corruptSnapshot("the journal begins with %x, want %x: %d bytes", mark, expected, want.Bytes)
	}
	held, err := f.journal.Holds(want)
	if err != nil && !errors.Is(err, journal.ErrCorrupt) {
		return nil, nil, err
	}
	if held {
		if err := skip(in, want.Bytes); err != nil {
			return nil, nil, err
		}
		return func() error { return f.journal.Truncate(want.Sequence, want.Bytes) }, func() error { return nil }, nil
	}
	f.logger.Info("writing the journal of a snapshot", "entries", want.Sequence, "bytes", want.Bytes, "local_entries", f.journal.End().Sequence)
	stage, err := f.journal.Stage()
	if err != nil {
		return nil, nil, err
	}
	buf := make([]byte, journalBuffer)
	for left := want.Bytes; left > 0; {
		b := buf[:min(uint64(len(buf)), left)]
		err := in.fill(b, 0)
		if err == nil {
			_, err = stage.Write(b)
		}
		if err != nil {
			return nil, nil, errors.Join(err, stage.Abort())
		}
		left -= uint64(len(b))
	}
	return func() error { return stage.Commit(want) }, stage.Abort, nil
}

// skip reads and drops n bytes; they are part of the checksum.
func skip(in *streamReader, n uint64) error {
	buf := make([]byte, journalBuffer)
	for n > 0 {
		b := buf[:min(uint64(len(buf)), n)]
		if err := in.fill(b, 0); err != nil {
			return err
		}
		n -= uint64(len(b))
	}
	return nil
}
