package transport

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/hashicorp/raft"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"

	"github.com/ballastdb/ballast/internal/guard"
)

// Identity is who a member is, as its data directory says. Every message carries it.
type Identity struct {
	// ClusterID is the same for all members of a cluster.
	ClusterID [16]byte
	// Incarnation is made with the data directory: a wiped disk under an old name is another member.
	Incarnation [16]byte
	// Epoch counts recoveries from a lost majority.
	Epoch uint64
}

const (
	// maxNameBytes bounds the name in a server id.
	maxNameBytes = 64
	// uuidTextBytes is the length of the incarnation in a server id.
	uuidTextBytes = 36
)

// ServerID is raft's id of a member: name/incarnation.
func ServerID(name string, incarnation [16]byte) raft.ServerID {
	return raft.ServerID(name + "/" + uuid.UUID(incarnation).String())
}

// ParseServerID takes a server id apart. Only what ServerID makes is accepted: one member must have one id.
func ParseServerID(id raft.ServerID) (name string, incarnation [16]byte, err error) {
	name, text, found := strings.Cut(string(id), "/")
	if !found || name == "" || len(name) > maxNameBytes {
		return "", incarnation, fmt.Errorf("server id %.120q: expected name/incarnation, the name of 1 to %d bytes", id, maxNameBytes)
	}
	parsed, err := uuid.Parse(text)
	if err != nil || parsed.String() != text {
		return "", incarnation, fmt.Errorf("server id %.120q: expected a UUID in lower case after the slash, found %.40q", id, text)
	}
	return name, parsed, nil
}

// envelope addresses a message to the member with the incarnation to.
func (i Identity) envelope(to [16]byte) *raftv1.Envelope {
	return &raftv1.Envelope{
		ClusterId:       i.ClusterID[:],
		RecoveryEpoch:   i.Epoch,
		FromIncarnation: i.Incarnation[:],
		ToIncarnation:   to[:],
	}
}

// check says why a message is not for this member, or nil. from is the sender's server id where the message has one.
func (i Identity) check(e *raftv1.Envelope, from []byte) error {
	if !guard.On("cluster-id") {
		return nil
	}
	if e == nil {
		return fmt.Errorf("expected an envelope with cluster and incarnation, found none: the sender is no member of a Ballast cluster")
	}
	if string(e.GetClusterId()) != string(i.ClusterID[:]) {
		return fmt.Errorf("cluster: expected %s, found %s: the sender belongs to another cluster; check its member addresses",
			idText(i.ClusterID[:]), idText(e.GetClusterId()))
	}
	if e.GetRecoveryEpoch() != i.Epoch {
		return fmt.Errorf("recovery epoch: expected %d, found %d: the cluster was recovered without the one with the lower epoch; wipe and join that one again",
			i.Epoch, e.GetRecoveryEpoch())
	}
	if string(e.GetToIncarnation()) != string(i.Incarnation[:]) {
		return fmt.Errorf("receiver's incarnation: expected %s, found %s: this member's data directory is not the one that the sender knows; remove the old member and add this one",
			idText(i.Incarnation[:]), idText(e.GetToIncarnation()))
	}
	if len(e.GetFromIncarnation()) != len(i.Incarnation) {
		return fmt.Errorf("sender's incarnation: expected %d bytes, found %d", len(i.Incarnation), len(e.GetFromIncarnation()))
	}
	if from == nil {
		return nil
	}
	_, incarnation, err := ParseServerID(raft.ServerID(from))
	if err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	if string(e.GetFromIncarnation()) != string(incarnation[:]) {
		return fmt.Errorf("sender's incarnation: expected %s as in its server id, found %s",
			idText(incarnation[:]), idText(e.GetFromIncarnation()))
	}
	return nil
}

// checkCaller says why who made the call is not the member that the message says it comes from, or nil. from is as in
// check: nil where the message names nobody.
func (c *Config) checkCaller(ctx context.Context, from []byte) error {
	if c.Caller == nil {
		return nil
	}
	caller, err := c.Caller(ctx)
	if err != nil || from == nil {
		return err
	}
	name, _, err := ParseServerID(raft.ServerID(from))
	if err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	if name != caller {
		return fmt.Errorf("sender: expected a message of member %s, as its certificate says, found one of member %s", caller, name)
	}
	return nil
}

// idText shows a UUID, or whatever a stranger sent in its place.
func idText(b []byte) string {
	id, err := uuid.FromBytes(b)
	if err != nil {
		return fmt.Sprintf("%.16x (%d bytes)", b, len(b))
	}
	return id.String()
}
