package node

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/transport"
)

// indexedConfiguration is a configuration with its log index.
type indexedConfiguration struct {
	raft.Configuration
	index uint64
}

// latestConfiguration is that of a running member, committed or not. Raft v1.7.3 does not tell its log index: the future's is always 0.
func latestConfiguration(r *raft.Raft) (raft.Configuration, error) {
	future := r.GetConfiguration()
	return future.Configuration(), future.Error()
}

// committedConfiguration is the newest that this running member knows to be committed, of its log or else of its newest snapshot; index 0:
// none.
func (n *node) committedConfiguration() (c indexedConfiguration) {
	if list, err := n.snapshots.List(); err == nil && len(list) > 0 {
		c = indexedConfiguration{list[0].Configuration, list[0].ConfigurationIndex}
	}
	if applied := n.fed.configured.Load(); applied != nil && applied.index > c.index {
		return *applied
	}
	return c
}

// lastConfiguration is that of a member that does not run, as raft would find it: of its newest snapshot, or newer in its log.
func lastConfiguration(log raft.LogStore, snapshots []*raft.SnapshotMeta) (c raft.Configuration, index uint64, err error) {
	from := uint64(1)
	if len(snapshots) > 0 {
		c, index, from = snapshots[0].Configuration, snapshots[0].ConfigurationIndex, snapshots[0].Index+1
	}
	first, err := log.FirstIndex()
	if err != nil {
		return c, 0, err
	}
	last, err := log.LastIndex()
	if err != nil {
		return c, 0, err
	}
	for i := max(from, first); i <= last && last > 0; i++ {
		var entry raft.Log
		if err := log.GetLog(i, &entry); err != nil {
			return c, 0, fmt.Errorf("read entry %d of the raft log: %w", i, err)
		}
		if entry.Type == raft.LogConfiguration {
			c, index = raft.DecodeConfiguration(entry.Data), entry.Index
		}
	}
	return c, index, nil
}

// soleVoter tells whether nobody else votes.
func soleVoter(c raft.Configuration, id raft.ServerID) bool {
	voters := 0
	self := false
	for _, s := range c.Servers {
		if s.Suffrage == raft.Voter {
			voters++
			self = self || s.ID == id
		}
	}
	return self && voters == 1
}

// raftCurrentTerm is the word under which raft v1.7.3 keeps its term (raft.go, unexported there).
const raftCurrentTerm = "CurrentTerm"

// currentTerm is the term of a member that does not run; 0: it has never heard of one.
func currentTerm(words raft.StableStore) (uint64, error) {
	term, err := words.GetUint64([]byte(raftCurrentTerm))
	if err != nil && err.Error() == "not found" { // what raft itself looks for
		return 0, nil
	}
	return term, err
}

// joinClose closes a transport that only called.
func joinClose(err error, t *transport.Transport) error {
	t.StopCalls()
	return errors.Join(err, t.Close())
}
