package raftfloor

import (
	"errors"
	"io"

	"github.com/hashicorp/raft"
)

// counter is a state machine that counts the bytes that it is given.
type counter struct{ bytes int }

var _ raft.BatchingFSM = (*counter)(nil)

// Apply counts one proposal.
func (c *counter) Apply(l *raft.Log) any {
	c.bytes += len(l.Data)
	return nil
}

// ApplyBatch counts several. Raft puts configurations among them.
func (c *counter) ApplyBatch(logs []*raft.Log) []any {
	for _, l := range logs {
		if l.Type == raft.LogCommand {
			c.bytes += len(l.Data)
		}
	}
	return make([]any, len(logs))
}

var errNoSnapshots = errors.New("the floor takes no snapshots")

// Snapshot is never called: see never.
func (c *counter) Snapshot() (raft.FSMSnapshot, error) { return nil, errNoSnapshots }

// Restore is never called.
func (c *counter) Restore(io.ReadCloser) error { return errNoSnapshots }
