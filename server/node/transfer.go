package node

import (
	"context"
	"io"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/snapshots"
	"github.com/ballastdb/ballast/transport"
)

// stager is what the snapshots are to the transport.
type stager struct{ snapshots *snapshots.RaftStore }

// Stage implements transport.Stager.
func (s stager) Stage(ctx context.Context, r *raft.InstallSnapshotRequest, manifest io.Reader, from transport.Puller, progress func(transport.Progress)) ([]byte, error) {
	return s.snapshots.Stage(ctx, r, manifest, puller{from}, func(p snapshots.Progress) { progress(transport.Progress(p)) })
}

// puller is the transport to the snapshots.
type puller struct{ transport.Puller }

// Sources implements snapshots.Puller.
func (p puller) Sources() []snapshots.Source {
	from := p.Puller.Sources()
	sources := make([]snapshots.Source, len(from))
	for i, s := range from {
		sources[i] = snapshots.Source(s)
	}
	return sources
}

// Pull implements snapshots.Puller.
func (p puller) Pull(ctx context.Context, s snapshots.Source, index, term uint64, wants []byte, got func(items []byte) error) error {
	return p.Puller.Pull(ctx, transport.Source(s), index, term, wants, got)
}
