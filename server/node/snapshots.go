package node

import "github.com/hashicorp/raft"

// newestSnapshot shows raft nothing but the newest snapshot. Where that one cannot be read, raft would start from an older
// one, on a log that may begin beyond it or be empty: a member that has forgotten what it acknowledged. It must not start.
type newestSnapshot struct{ raft.SnapshotStore }

// List is raft.SnapshotStore's, newest first.
func (s newestSnapshot) List() ([]*raft.SnapshotMeta, error) {
	list, err := s.SnapshotStore.List()
	return list[:min(len(list), 1)], err
}
