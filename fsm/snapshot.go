package fsm

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/page"
)

// Sizes of buffers: what is written to a sink, and copied from the journal, at a time.
const (
	sinkBuffer    = 1 << 20
	journalBuffer = 256 << 10
)

// errReplaced ends a snapshot of a state that an installed one took the place of.
var errReplaced = errors.New("another snapshot was restored meanwhile")

// snapshot is the state pinned at an index; raft persists it beside further batches.
type snapshot struct {
	f       *FSM
	state   *state // that was pinned
	header  snapshotHeader
	view    *page.View
	journal *journal.Reader
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
	s := &snapshot{f: f, state: f.state, view: f.state.space().View(f.mu.RLocker())}
	var end journal.Position
	s.journal, end = f.journal.Reader()
	s.header = snapshotHeader{
		index: f.index, term: f.term, digest: s.view.Digest(), journal: f.state.position(), version: f.state.version(), logTime: f.state.books.LogTime(),
	}
	if end != s.header.journal && f.started {
		s.view.Close()
		return nil, fmt.Errorf("the journal ends at %+v, the state says %+v: not snapshotted", end, s.header.journal)
	}
	return s, nil
}

// position is where the journal ends that belongs to the state.
func (s *state) position() journal.Position {
	return journal.Position{Sequence: s.books.Sequence(), Bytes: s.books.JournalBytes(), Hash: journal.Hash(s.books.JournalHash())}
}

// Persist is raft.FSMSnapshot's: it writes the stream, holding up batches for the copy of one page at a time. The
// journal that the snapshot names is durable before the snapshot is.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	err := s.write(sink)
	if err == nil {
		if err = s.f.journal.Sync(); err != nil && s.f.Halted() == nil {
			s.f.die(err) // what is on disk is unknown now, and a later fsync can falsely succeed
		}
	}
	if err == nil {
		err = s.current()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("persist snapshot at index %d: %w", s.header.index, err), sink.Cancel())
	}
	return sink.Close()
}

// current is nil while the snapshot may be published. What shuts down keeps nothing more. And where a snapshot was
// installed meanwhile, publishing this older one would have raft move its last index back, on a member that may have
// acknowledged more.
func (s *snapshot) current() error {
	s.f.mu.RLock()
	defer s.f.mu.RUnlock()
	if err := s.f.halted(); err != nil {
		return err
	}
	if s.f.state != s.state {
		return errReplaced
	}
	return nil
}

func (s *snapshot) write(sink io.Writer) error {
	buffered := bufio.NewWriterSize(sink, sinkBuffer)
	w := newStreamWriter(buffered)
	if _, err := w.Write(s.header.encode()); err != nil {
		return err
	}
	pages := uint64(0)
	err := s.view.Pages(func(p page.Page) error {
		if err := s.f.Halted(); err != nil {
			return err
		}
		pages++
		if _, err := w.Write(encodePageHead(p)); err != nil {
			return err
		}
		_, err := w.Write(p.Data)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.writeJournal(w); err != nil {
		return err
	}
	if err := w.end(pages); err != nil {
		return err
	}
	return buffered.Flush()
}

func (s *snapshot) writeJournal(w io.Writer) error {
	if _, err := w.Write(encodeJournalMark(s.header.journal.Bytes)); err != nil {
		return err
	}
	buf := make([]byte, journalBuffer)
	for left := s.header.journal.Bytes; left > 0; {
		if err := s.f.Halted(); err != nil {
			return err
		}
		n, err := s.journal.Read(buf[:min(uint64(len(buf)), left)])
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		left -= uint64(n)
	}
	return nil
}

// Release is raft.FSMSnapshot's.
func (s *snapshot) Release() {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.view.Close()
	if err := s.journal.Close(); err != nil {
		s.f.logger.Warn("cannot close the journal that was read for a snapshot", "error", err)
	}
}
