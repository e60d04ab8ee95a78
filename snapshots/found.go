package snapshots

import (
	"errors"

	"github.com/hashicorp/raft"
)

// errNotEmpty: a state is founded where there is none.
var errNotEmpty = errors.New("snapshots: expected no snapshot, found one")

// Begin starts a snapshot of what is imported in a store that has none: give it every page, then Found.
func (i *Import) Begin(s *Store) (*Writer, error) {
	if index, _ := s.At(); index != 0 {
		return nil, errNotEmpty
	}
	return s.Begin(i.Index, i.Term)
}

// Found commits it as that of a cluster with one member, who begins it: at the same index and term, with the same state; who the
// members were where it was exported from is left behind.
func (i *Import) Found(w *Writer, only raft.Server) error {
	meta := raftMeta{
		version: i.meta.version, owner: i.meta.owner,
		configuration: raft.Configuration{Servers: []raft.Server{only}}, configurationIndex: 1,
	}
	return w.Commit(i.Digest, meta.encode())
}
