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

// Stage implements transport.Stager. Everything comes with the offer; nothing is pulled.
func (s stager) Stage(ctx context.Context, r *raft.InstallSnapshotRequest, data io.Reader, _ transport.Puller, progress func(transport.Progress)) ([]byte, error) {
	counted := &countedReader{Reader: data, progress: progress}
	return s.snapshots.Stage(ctx, r, counted)
}

// countedReader reports what is read as received from the leader.
type countedReader struct {
	io.Reader
	progress func(transport.Progress)
	read     uint64
}

// Read implements io.Reader.
func (c *countedReader) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.read += uint64(n)
	c.progress(transport.Progress{Phase: "receiving", BytesFromLeader: c.read})
	return n, err
}
