package snapshots

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"
)

// A token stands for what is staged: it is all that raft reads of an install.
//
//	| magic 8 | random 16 |
const (
	tokenMagic = "BLSTTOKN"
	tokenBytes = 24
)

func newToken() []byte {
	token := append(make([]byte, 0, tokenBytes), tokenMagic...)
	token = token[:tokenBytes]
	_, _ = rand.Read(token[len(tokenMagic):]) // documented never to fail
	return token
}

// staged is a snapshot of another member of which only the manifest is still to be written.
type staged struct {
	install *install
	token   []byte
}

// is reports whether it is the snapshot that raft announces.
func (s *staged) is(index, term, configuration uint64) bool {
	m := s.install.writer.manifest
	return m.Index == index && m.Term == term && s.install.configuration == configuration
}

// Stage takes another member's snapshot in: manifest is what its Opened reads as. It compares that with the state in memory, the
// newest snapshot here and what earlier calls have left in the staging area, pulls what differs, verifies all of it and
// makes all of it durable but the manifest, beside what is served and beside snapshots of this member's own. Raft is
// then given the token in place of the stream: a sink that takes it writes the manifest.
//
// One at a time: ErrBusy. What is staged stays until an install took it, another one is staged, a snapshot of this
// member's own goes beyond it, or Close. Where the same one is offered again its token is the answer and manifest is not read.
// After an error what was pulled stays in the staging area and is not asked for again. progress is called often, from one
// goroutine.
func (s *RaftStore) Stage(ctx context.Context, r *raft.InstallSnapshotRequest, manifest io.Reader, from Puller, progress func(Progress)) (token []byte, err error) {
	kept, err := s.beginStaging(r)
	if err != nil || kept != nil {
		return kept, err
	}
	var ready *staged
	defer func() { s.endStaging(ready) }()
	if err := s.offered(r); err != nil {
		return nil, err
	}
	theirs, err := readManifest(r, manifest)
	if err != nil {
		return nil, err
	}
	in, err := s.stage(ctx, theirs, from, progress)
	if err != nil {
		return nil, err
	}
	in.configuration = r.ConfigurationIndex
	ready = &staged{install: in, token: newToken()}
	return ready.token, nil
}

// readManifest reads the manifest of the snapshot that raft announces.
func readManifest(r *raft.InstallSnapshotRequest, from io.Reader) (*Manifest, error) {
	bad := func(reason error) error {
		return fmt.Errorf("snapshots: what arrived for index %d, term %d is no good manifest: %w", r.LastLogIndex, r.LastLogTerm, reason)
	}
	b, err := io.ReadAll(io.LimitReader(from, maxManifestSize+1))
	if err != nil {
		return nil, fmt.Errorf("snapshots: read the manifest of index %d, term %d: %w", r.LastLogIndex, r.LastLogTerm, err)
	}
	if len(b) > maxManifestSize {
		return nil, bad(errMeaning)
	}
	m, err := decode(b)
	if err != nil {
		return nil, bad(err)
	}
	if m.Index != r.LastLogIndex || m.Term != r.LastLogTerm {
		return nil, bad(fmt.Errorf("it is that of index %d, term %d", m.Index, m.Term))
	}
	meta, err := decodeRaftMeta(m.Meta)
	if err != nil {
		return nil, bad(err)
	}
	if meta.configurationIndex != r.ConfigurationIndex {
		return nil, bad(fmt.Errorf("its configuration is that of index %d, not of %d", meta.configurationIndex, r.ConfigurationIndex))
	}
	return m, nil
}

// offered refuses early what an install would be refused for.
func (s *RaftStore) offered(r *raft.InstallSnapshotRequest) error {
	if newest, err := s.newest(); err != nil {
		return err
	} else if newest != nil && newest.Index >= r.LastLogIndex {
		return fmt.Errorf("snapshots: index %d of term %d is not newer than the newest snapshot, index %d of term %d",
			r.LastLogIndex, r.LastLogTerm, newest.Index, newest.Term)
	}
	return nil
}

// beginStaging answers the token of what is staged where that is what raft announces. Otherwise the staging is the
// caller's, and what was staged before is dropped.
func (s *RaftStore) beginStaging(r *raft.InstallSnapshotRequest) (token []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, errClosed
	case s.staging:
		return nil, ErrBusy
	case s.staged == nil:
	case s.staged.is(r.LastLogIndex, r.LastLogTerm, r.ConfigurationIndex):
		return bytes.Clone(s.staged.token), nil
	default:
		s.Logger.Info("what was staged is dropped for a newer snapshot", "index", s.staged.install.writer.manifest.Index, "newer", r.LastLogIndex)
		if err := s.dropStaged(); err != nil {
			return nil, err
		}
	}
	s.staging = true
	return nil, nil
}

func (s *RaftStore) endStaging(ready *staged) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.staging, s.staged = false, ready
}

// dropStaged gives up what is staged, down to the pages in the staging area, which stay. The caller holds mu.
func (s *RaftStore) dropStaged() error {
	if s.staged == nil {
		return nil
	}
	in := s.staged.install
	s.staged = nil
	return in.abort()
}

// dropOlder gives up what a snapshot of this member's own, of index, has made useless: what is staged, and the staging area, also
// that of an earlier run, where it holds nothing newer. A member that caught up from the log may never stage again.
func (s *RaftStore) dropOlder(index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	if s.staged != nil && s.staged.install.writer.manifest.Index <= index {
		errs = append(errs, s.dropStaged())
	}
	if !s.staging && s.staged == nil && !s.closed {
		errs = append(errs, s.dropOlderArea(index))
	}
	if err := errors.Join(errs...); err != nil {
		s.Logger.Warn("what was staged could not be given up; the next start does it", "error", err)
	}
}

// dropOlderArea removes the staging area where it holds nothing newer than index. The caller holds mu, and nobody stages.
func (s *RaftStore) dropOlderArea(index uint64) (err error) {
	if s.area == nil {
		if s.area, err = s.Store.leftArea(); err != nil {
			s.area = nil
			return err
		}
	}
	a := s.area
	if a == nil || a.newest() > index {
		return nil
	}
	s.area = nil
	return a.discard()
}

// claim hands over what is staged to the one who has its token.
func (s *RaftStore) claim(token []byte, index, term, configuration uint64) (*install, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.staged == nil || !bytes.Equal(s.staged.token, token) || !s.staged.is(index, term, configuration) {
		return nil, fmt.Errorf("snapshots: expected the token of the staged snapshot of index %d, term %d, found %d other bytes", index, term, len(token))
	}
	in := s.staged.install
	s.staged = nil
	return in, nil
}

// installed gives up the staging area, whose pack has become part of the newest snapshot.
func (s *RaftStore) installed(a *area) {
	if a == nil {
		return
	}
	s.mu.Lock()
	if s.area == a {
		s.area = nil
	}
	s.mu.Unlock()
	if err := a.forget(); err != nil {
		s.Logger.Warn("the list of the staging area could not be removed; the next start removes it", "error", err)
	}
}

var errClosed = errors.New("snapshots: closed: nothing is staged any more")

// Close drops what is staged, down to the pages in the staging area, which the next start finds, and has Stage refuse from then
// on. Stage must have returned. The Store stays open.
func (s *RaftStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	err := errors.Join(s.dropStaged(), s.serving.close())
	if s.area != nil {
		err = errors.Join(err, s.area.save(), s.area.close())
		s.area = nil
	}
	return err
}
