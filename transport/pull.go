package transport

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// puller pulls the pages of one snapshot that is offered.
type puller struct {
	transport *Transport
	sources   []Source
	hurry     *hurry

	mu sync.Mutex
	// silent members are not asked again before the given time. Never the leader: it is the last to ask.
	silent map[raft.ServerID]time.Time
}

var _ Puller = (*puller)(nil)

// newPuller takes the members from the configuration that came with an offer.
func newPuller(t *Transport, r *raft.InstallSnapshotRequest, h *hurry) (*puller, error) {
	configuration, err := decodeConfiguration(r)
	if err != nil {
		return nil, err
	}
	return &puller{
		transport: t, sources: sourcesOf(configuration, t.config.LocalID, raft.ServerID(r.ID)), hurry: h, silent: map[raft.ServerID]time.Time{},
	}, nil
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
	some := false
	for {
		err := p.pull(ctx, s, &raftv1.FetchPagesRequest{Index: index, Term: term, Wants: wants}, func(items []byte) error {
			some = true
			return got(items)
		})
		switch {
		case ctx.Err() != nil:
			return err
		case errors.Is(err, errUrgentNow) && !some:
			continue
		case errors.Is(err, ErrUnreachable):
			p.noteSilent(s)
		}
		return err
	}
}

// errUrgentNow ends a call that was not urgent when it began: the one who answers it holds back what it sends.
var errUrgentNow = errors.New("asked for anew: it has become urgent")

// pull makes one call, urgent where it is so by now.
func (p *puller) pull(ctx context.Context, s Source, r *raftv1.FetchPagesRequest, got func([]byte) error) error {
	until, urgent := p.hurry.get()
	if r.Urgent = urgent; !urgent {
		var end context.CancelCauseFunc
		ctx, end = context.WithCancelCause(ctx)
		defer end(nil)
		defer context.AfterFunc(until, func() { end(errUrgentNow) })()
	}
	return p.transport.fetchPages(ctx, raft.Server{ID: s.ID, Address: s.Address}, r, got)
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
