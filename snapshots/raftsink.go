package snapshots

import (
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/guard"
)

// Sink is a raft.SnapshotSink. The state machine has it publish what was prepared at a mark; raft, for an install, writes a
// token to it. Nothing changes before Publish, or Close.
type Sink struct {
	store       *RaftStore
	index, term uint64 // that raft asked for
	meta        raftMeta
	id          string // of what was published
	token       []byte // nil: none is written
	closed      bool
	err         error // of Close
}

// ID implements raft.SnapshotSink: it is that of what was published.
func (s *Sink) ID() string {
	if s.id != "" {
		return s.id
	}
	return snapshotID(s.index, s.term)
}

// Publish makes the snapshot that is prepared for index and term the newest. They are recorded, and not what raft asked
// for, which is later: the log from there on is still here. A snapshot never has a configuration that is newer than its
// state: that would go backwards when the log is replayed. Closing gives the same answer.
func (s *Sink) Publish(index, term uint64) error {
	if s.closed {
		return errors.Join(errIncomplete, s.err)
	}
	s.closed, s.id = true, snapshotID(index, term)
	s.err = s.publish(index, term)
	return s.err
}

func (s *Sink) publish(index, term uint64) error {
	p, err := s.store.takeReady(index, term)
	switch {
	case err != nil:
		return err
	case index > s.index:
		return fmt.Errorf("snapshots: raft has applied index %d, and a snapshot of %d is to be published", s.index, index)
	case s.meta.configurationIndex > index && guard.On(guardConfiguration):
		return fmt.Errorf("%w: it is that of index %d, the mark is at %d", errPastMark, s.meta.configurationIndex, index)
	case p.writer == nil:
		return nil
	}
	s.meta.owner = p.owner
	if err := s.store.publish(p.writer, p.digest, s.meta, p.writer.Abort); err != nil {
		return err
	}
	s.store.dropOlder(index)
	return nil
}

// Write takes the token of what is staged, and nothing else.
func (s *Sink) Write(p []byte) (int, error) {
	if s.token == nil {
		if newest, _ := s.store.Store.At(); newest >= s.index {
			return 0, fmt.Errorf("snapshots: the snapshot of index %d is here already: none of index %d is installed", newest, s.index)
		}
		if err := s.store.admit(s.index, s.term); err != nil {
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
func (s *RaftStore) admit(index, term uint64) error {
	if s.Admit == nil {
		return nil
	}
	return s.Admit(index, term)
}

var errIncomplete = errors.New("snapshots: the snapshot is not complete")

// Close installs what is staged, where the token is that of it. Without a token, and nothing published, it is an error.
// Closing again gives the same answer.
func (s *Sink) Close() error {
	if s.closed {
		return s.err
	}
	s.closed = true
	if s.token == nil {
		s.err = errIncomplete
	} else {
		s.err = s.install()
	}
	return s.err
}

// install publishes what is staged.
func (s *Sink) install() error {
	in, err := s.store.claim(s.token, s.index, s.term, s.meta.configurationIndex)
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
		err = nil
	}
	if err == nil {
		return nil
	}
	if !s.Store.unused() {
		// Which manifest is there? What belongs to the new one stays, until the next start has looked.
		err = fmt.Errorf("snapshots: nobody knows whether the snapshot %s is on the disk: %w", snapshotID(w.manifest.Index, w.manifest.Term), err)
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
	return nil
}
