package node

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/server"
	"github.com/ballastdb/ballast/transport"
)

// staging remembers what a snapshot that is being taken in has come to, for the status and the metrics. It is the stager
// that it was given, with an ear to its progress.
type staging struct {
	transport.Stager
	room func() error // says why there is no room to take one in; nil: nobody looks
	// fatal must end the process: the leader's snapshot is one that this program does not know, and would be offered for ever.
	fatal func(error)

	mu      sync.Mutex
	running bool
	index   uint64
	since   time.Time
	latest  transport.Progress
}

// Stage implements transport.Stager.
func (s *staging) Stage(ctx context.Context, r *raft.InstallSnapshotRequest, manifest io.Reader, from transport.Puller, progress func(transport.Progress)) ([]byte, error) {
	if s.room != nil {
		if err := s.room(); err != nil {
			return nil, err
		}
	}
	s.note(func() { s.running, s.index, s.since, s.latest = true, r.LastLogIndex, time.Now(), transport.Progress{} })
	defer s.note(func() { s.running = false })
	token, err := s.Stager.Stage(ctx, r, manifest, from, func(p transport.Progress) {
		s.note(func() { s.latest = p })
		progress(p)
	})
	var old *OutdatedError
	if err = outdated(err); errors.As(err, &old) {
		s.fatal(err)
	}
	return token, err
}

func (s *staging) note(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// facts are those of the snapshot that is being taken in; nil: none is.
func (s *staging) facts() *server.InstallFacts {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return nil
	}
	f := installFacts(s.index, s.since, s.latest)
	return &f
}
