package snapshots

import (
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/page"
)

// Sink is a raft.SnapshotSink. The state machine gives it pages; raft, for an install, writes a token to it. Nothing
// changes before Close.
type Sink struct {
	store  *RaftStore
	writer *Writer
	meta   raftMeta
	digest page.Digest
	ready  bool   // Finish was called
	token  []byte // nil: none is written
	closed bool
	err    error // of Close
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

// Write takes the token of what is staged, and nothing else.
func (s *Sink) Write(p []byte) (int, error) {
	if s.token == nil {
		if err := s.store.admit(s.writer.manifest); err != nil {
			return 0, err
		}
		s.token = make([]byte, 0, tokenBytes)
	}
	if len(p) > tokenBytes-len(s.token) {
		return 0, fmt.Errorf("snapshots: expected a token of %d bytes, found more: a snapshot's stream is staged before raft is asked to install it", tokenBytes)
	}
	s.token = append(s.token, p...)
	return len(p), nil
}

// admit refuses an install that must not be.
func (s *RaftStore) admit(m *Manifest) error {
	if s.Admit == nil {
		return nil
	}
	return s.Admit(m.Index, m.Term)
}

var errIncomplete = errors.New("snapshots: the snapshot is not complete")

// Close makes the snapshot durable and the newest. An install is refused where the token is not that of what is staged.
// Closing again gives the same answer.
func (s *Sink) Close() error {
	if s.closed {
		return s.err
	}
	s.closed = true
	switch {
	case s.token != nil:
		s.err = s.install()
	case s.ready:
		s.err = s.store.publish(s.writer, s.digest, s.meta, s.writer.Abort)
		if s.err == nil {
			s.store.dropOlder(s.writer.manifest.Index)
		}
	default:
		s.err = errors.Join(errIncomplete, s.writer.Abort())
	}
	return s.err
}

// install publishes what is staged in place of this sink's own writer.
func (s *Sink) install() error {
	m := s.writer.manifest
	if err := s.writer.Abort(); err != nil {
		return err
	}
	in, err := s.store.claim(s.token, m.Index, m.Term, s.meta.configurationIndex)
	if err != nil {
		return err
	}
	s.meta.owner = in.meta
	if err := s.store.publish(in.writer, in.digest, s.meta, in.abort); err != nil {
		return err
	}
	s.store.installed(in.area)
	return nil
}

// publish writes the manifest, the one commit point. Where it certainly is not on the disk drop gives everything up.
func (s *RaftStore) publish(w *Writer, digest page.Digest, meta raftMeta, drop func() error) error {
	err := w.Commit(digest, meta.encode())
	var left *LeftoverError
	if errors.As(err, &left) {
		s.Logger.Warn("files of older snapshots could not be removed; the next start removes them", "error", err)
		return nil
	}
	if err == nil {
		return nil
	}
	if _, unknown := s.Store.Newest(); errors.Is(unknown, ErrReopen) {
		// Which manifest is there? What belongs to the new one stays, until the next start has looked.
		err = fmt.Errorf("snapshots: nobody knows whether the snapshot %s is on the disk: %w", snapshotID(w.manifest), err)
		s.Fatal(err)
		return err
	}
	return errors.Join(err, drop())
}

// Cancel implements raft.SnapshotSink: it gives the snapshot up. What is staged stays. Harmless after Close.
func (s *Sink) Cancel() error {
	if s.closed {
		return nil
	}
	s.closed, s.err = true, errIncomplete
	return s.writer.Abort()
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
