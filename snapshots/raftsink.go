package snapshots

import (
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/page"
)

// Sink is a raft.SnapshotSink. The state machine gives it pages; raft, for an install, writes another member's stream to
// it. Nothing changes before Close.
type Sink struct {
	store   *RaftStore
	writer  *Writer
	meta    raftMeta
	digest  page.Digest
	ready   bool     // Finish was called, or the stream is complete
	install *install // nil: no stream is written
	closed  bool
	err     error // of Close
}

// ID implements raft.SnapshotSink.
func (s *Sink) ID() string { return snapshotID(s.writer.manifest) }

// Changed reports whether a page with this index must be given with its data.
func (s *Sink) Changed(id page.ID, index uint64) bool { return s.writer.Changed(id, index) }

// Page adds a page, in order of table and number; Data nil means unchanged.
func (s *Sink) Page(p page.Page) error { return s.writer.Page(p) }

// Finish takes the digest of all pages and the owner's meta. Close makes the snapshot durable.
func (s *Sink) Finish(digest page.Digest, meta []byte) error {
	s.digest, s.meta.owner, s.ready = digest, append([]byte(nil), meta...), true
	return nil
}

// Write takes the stream of another member's snapshot.
func (s *Sink) Write(p []byte) (int, error) {
	if s.install == nil {
		if err := s.store.admit(s.writer.manifest); err != nil {
			return 0, err
		}
		s.install = &install{sink: s}
	}
	return s.install.Write(p)
}

// admit refuses an install that must not be.
func (s *RaftStore) admit(m *Manifest) error {
	if s.Admit == nil {
		return nil
	}
	return s.Admit(m.Index, m.Term)
}

var errIncomplete = errors.New("snapshots: the snapshot is not complete")

// Close makes the snapshot durable and the newest. Before it, what an install brought is verified. Closing again gives the
// same answer.
func (s *Sink) Close() error {
	if s.closed {
		return s.err
	}
	s.closed = true
	s.err = s.commit()
	return s.err
}

func (s *Sink) commit() error {
	err := s.complete()
	if err != nil {
		return errors.Join(err, s.drop())
	}
	err = s.writer.Commit(s.digest, s.meta.encode())
	var left *LeftoverError
	if errors.As(err, &left) {
		s.store.Logger.Warn("files of older snapshots could not be removed; the next start removes them", "error", err)
		return nil
	}
	if err == nil {
		return nil
	}
	if _, unknown := s.store.Store.Newest(); errors.Is(unknown, ErrReopen) {
		// Which manifest is there? What belongs to the new one stays, until the next start has looked.
		err = fmt.Errorf("snapshots: nobody knows whether the snapshot %s is on the disk: %w", s.ID(), err)
		s.store.Fatal(err)
		return err
	}
	return errors.Join(err, s.drop())
}

// complete verifies that there is all of it.
func (s *Sink) complete() error {
	switch {
	case s.install != nil:
		return s.install.finish()
	case !s.ready:
		return errIncomplete
	}
	return nil
}

// Cancel implements raft.SnapshotSink: it gives the snapshot up. Harmless after Close.
func (s *Sink) Cancel() error {
	if s.closed {
		return nil
	}
	s.closed, s.err = true, errIncomplete
	return s.drop()
}

func (s *Sink) drop() error {
	err := s.writer.Abort()
	if s.install != nil {
		err = errors.Join(err, s.install.abort())
	}
	return err
}

// sameSink takes the newest snapshot once more and does nothing.
type sameSink struct{ id string }

// ID implements raft.SnapshotSink.
func (s *sameSink) ID() string { return s.id }

// Changed is never true: all of it is on the disk.
func (s *sameSink) Changed(page.ID, uint64) bool { return false }

// Page does nothing.
func (s *sameSink) Page(page.Page) error { return nil }

// Finish does nothing.
func (s *sameSink) Finish(page.Digest, []byte) error { return nil }

// Write refuses an install of what is here already.
func (s *sameSink) Write([]byte) (int, error) {
	return 0, fmt.Errorf("snapshots: the snapshot %s is here already: not installed again", s.id)
}

// Close does nothing.
func (s *sameSink) Close() error { return nil }

// Cancel does nothing.
func (s *sameSink) Cancel() error { return nil }
