package node

import (
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/datadir"
)

// NewMember says which member of which cluster a data directory is made for.
type NewMember struct {
	// ClusterID is the same for all members, Name unique among them.
	ClusterID uuid.UUID
	Name      string
	// Epoch is the cluster's recovery epoch; 0: it was never recovered.
	Epoch uint64
}

// Init makes the data directory of a new member, its raft log of that kind included, so that Run never creates one. Errors are those
// of datadir.Init.
func Init(dir string, m NewMember, logKind string, logger hclog.Logger) (datadir.Identity, error) {
	identity, err := newIdentity(m)
	if err != nil {
		return datadir.Identity{}, err
	}
	return identity, datadir.Init(dir, identity, func(layout datadir.Layout) error { return makeLog(layout, logKind, logger, 0) })
}

// newIdentity is that of a member which has never been before.
func newIdentity(m NewMember) (datadir.Identity, error) {
	incarnation, err := uuid.NewRandom()
	if err != nil {
		return datadir.Identity{}, err
	}
	return datadir.Identity{
		ClusterID: m.ClusterID, Name: m.Name, Incarnation: incarnation, RecoveryEpoch: m.Epoch, CreatedAt: time.Now().UTC().Truncate(time.Second),
	}, nil
}
