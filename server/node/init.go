package node

import (
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/logstore"
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
	incarnation, err := uuid.NewRandom()
	if err != nil {
		return datadir.Identity{}, err
	}
	identity := datadir.Identity{
		ClusterID:     m.ClusterID,
		Name:          m.Name,
		Incarnation:   incarnation,
		RecoveryEpoch: m.Epoch,
		CreatedAt:     time.Now().UTC().Truncate(time.Second),
	}
	kind := logstore.Kind(logKind)
	createLog := func(layout datadir.Layout) error {
		// A write error is returned below as well, and nothing runs yet that would have to stop.
		log, err := logstore.Open(logstore.Options{Dir: layout.Raft(), Kind: kind, Logger: logger, Fatal: func(error) {}})
		if err != nil {
			return err
		}
		return log.Close()
	}
	return identity, datadir.Init(dir, identity, createLog)
}
