package transport

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// puller pulls the pages of one snapshot that is offered.
type puller struct {
	transport *Transport
	sources   []Source

	mu sync.Mutex
	// silent members are not asked again before the given time. Never the leader: it is the last to ask.
	silent map[raft.ServerID]time.Time
}

var _ Puller = (*puller)(nil)

// newPuller takes the members from the configuration that came with an offer.
func newPuller(t *Transport, r *raft.InstallSnapshotRequest) (*puller, error) {
	configuration, err := decodeConfiguration(r)
	if err != nil {
		return nil, err
	}
	return &puller{transport: t, sources: sourcesOf(configuration, t.config.LocalID, raft.ServerID(r.ID)), silent: map[raft.ServerID]time.Time{}}, nil
}

// decodeConfiguration decodes what a member sent; raft's own decoder panics.
func decodeConfiguration(r *raft.InstallSnapshotRequest) (configuration raft.Configuration, err error) {
	if len(r.Configuration) == 0 {
		return configuration, nil
	}
	defer func() {
		if recovered := recover(); recovered != nil {
			err = invalid(fmt.Errorf("snapshot: expected a configuration of raft's, found %d other bytes: %v", len(r.Configuration), recovered))
		}
	}()
	return raft.DecodeConfiguration(r.Configuration), nil
}

// sourcesOf are the members that pages can be pulled from, the leader last.
func sourcesOf(c raft.Configuration, local, leader raft.ServerID) []Source {
	var others, last []Source
	for _, server := range c.Servers {
		switch server.ID {
		case local:
		case leader:
			last = append(last, Source{ID: server.ID, Address: server.Address, Leader: true})
		default:
			others = append(others, Source{ID: server.ID, Address: server.Address})
		}
	}
	return append(others, last...)
}

// Sources implements Puller.
func (p *puller) Sources() []Source { return append([]Source(nil), p.sources...) }

// Pull implements Puller.
func (p *puller) Pull(ctx context.Context, s Source, index, term uint64, wants []byte, got func([]byte) error) error {
	if err := p.wasSilent(s); err != nil {
		return err
	}
	err := p.transport.fetchPages(ctx, s.ID, s.Address, index, term, wants, got)
	if errors.Is(err, ErrUnreachable) && ctx.Err() == nil {
		p.noteSilent(s)
	}
	return err
}

func (p *puller) wasSilent(s Source) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.silent[s.ID]) {
		return fmt.Errorf("pages from %s at %s: %w a moment ago", s.ID, s.Address, ErrUnreachable)
	}
	return nil
}

func (p *puller) noteSilent(s Source) {
	if s.Leader {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent[s.ID] = time.Now().Add(p.transport.config.Timeouts.Unreached)
}
