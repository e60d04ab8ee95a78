package snapshots

import (
	"errors"
	"fmt"
	"sync"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/guard"
)

// Prepared is a snapshot that is written beside raft: all of it is made durable but the manifest, then raft is asked for a
// snapshot, whose Sink publishes this one. It is a sink for the pages of the state machine.
type Prepared struct {
	store  *RaftStore
	writer *Writer // nil: the newest snapshot is the same
	index  uint64
	term   uint64
	digest page.Digest
	owner  []byte
}

// preparing is what a RaftStore has of a snapshot that is being prepared.
type preparing struct {
	mu    sync.Mutex
	ready *Prepared // sealed and not published; nil: none
}

// Prepare begins the snapshot of the state at index and term: give it the pages, then Seal it; when raft has been asked, or
// it is given up, Drop it. One at a time: ErrBusy. Where the newest snapshot is the very same nothing is written. ended is
// asked between pages: its error ends the writing.
func (s *RaftStore) Prepare(index, term uint64, ended func() error) (*Prepared, error) {
	p := &Prepared{store: s, index: index, term: term}
	if at, its := s.Store.At(); at == index && its == term && index > 0 && guard.On(guardShouldSnapshot) {
		return p, nil
	}
	w, err := s.Store.Begin(index, term)
	if err != nil {
		return nil, err
	}
	w.ended, w.pace = ended, s.Pace
	p.writer = w
	return p, nil
}

// Changed reports whether a page with this index must be given with its data.
func (p *Prepared) Changed(id page.ID, index uint64) bool {
	return p.writer != nil && p.writer.Changed(id, index)
}

// Page adds a page, in order of table and number; Data nil means unchanged.
func (p *Prepared) Page(q page.Page) error {
	if p.writer == nil {
		return nil
	}
	return p.writer.Page(q)
}

// Finish takes the digest of all pages and the owner's meta.
func (p *Prepared) Finish(digest page.Digest, meta []byte) error {
	p.digest, p.owner = digest, append([]byte(nil), meta...)
	return nil
}

// Seal makes the pages durable. From then on a Sink may publish the snapshot.
func (p *Prepared) Seal() error {
	if p.owner == nil {
		return errIncomplete
	}
	if p.writer != nil {
		if err := p.writer.Prepare(); err != nil {
			return err
		}
	}
	p.store.preparing.mu.Lock()
	defer p.store.preparing.mu.Unlock()
	p.store.preparing.ready = p
	return nil
}

// Written is what Page and Seal have written, bytes.
func (p *Prepared) Written() uint64 {
	if p.writer == nil {
		return 0
	}
	return p.writer.written
}

// Drop gives the snapshot up where it was not published. Dropping it again is harmless.
func (p *Prepared) Drop() error {
	p.store.preparing.mu.Lock()
	if p.store.preparing.ready == p {
		p.store.preparing.ready = nil
	}
	p.store.preparing.mu.Unlock()
	if p.writer == nil {
		return nil
	}
	return p.writer.Abort()
}

// takeReady gives what is prepared for index and term, once.
func (s *RaftStore) takeReady(index, term uint64) (*Prepared, error) {
	s.preparing.mu.Lock()
	defer s.preparing.mu.Unlock()
	p := s.preparing.ready
	if p == nil || p.index != index || p.term != term {
		return nil, fmt.Errorf("snapshots: index %d, term %d is to be published, and not prepared", index, term)
	}
	return p, nil
}

// errPastMark refuses a snapshot whose configuration is newer than its state.
var errPastMark = errors.New("snapshots: the configuration is newer than the mark: wait for the mark behind it")
