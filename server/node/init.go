package node

import (
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/datadir"
)

// Init makes the data directory of a new member, its raft log of that kind included, so that Run never creates one. Errors are those
// of datadir.Init.
func Init(dir string, clusterID uuid.UUID, name, logKind string, logger hclog.Logger) (datadir.Identity, error) {
	identity, err := newIdentity(clusterID, name)
	if err != nil {
		return datadir.Identity{}, err
	}
	return identity, datadir.Init(dir, identity, func(layout datadir.Layout) error { return makeLog(layout, logKind, logger, 0) })
}

// newIdentity is that of a member which has never been before.
func newIdentity(clusterID uuid.UUID, name string) (datadir.Identity, error) {
	incarnation, err := uuid.NewRandom()
	if err != nil {
		return datadir.Identity{}, err
	}
	return datadir.Identity{
		ClusterID: clusterID, Name: name, Incarnation: incarnation, CreatedAt: time.Now().UTC().Truncate(time.Second),
	}, nil
}
