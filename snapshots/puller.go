package snapshots

import (
	"context"

	"github.com/hashicorp/raft"
)

// Source is a member that pages can be pulled from.
type Source struct {
	ID      raft.ServerID
	Address raft.ServerAddress
	Leader  bool // it offers the snapshot
}

// Puller pulls pages of a snapshot that is offered, from other members.
type Puller interface {
	// Sources are the members that may have pages of it, this one excepted; the one that offers it last.
	Sources() []Source
	// Pull asks s for pages of the snapshot with this index and term, or of its newest where they are the same there. got is
	// called with whole items as they arrive, and ends the pull with its error. An error may come after some items.
	Pull(ctx context.Context, s Source, index, term uint64, wants []byte, got func(items []byte) error) error
}

// Phases of a Progress.
const (
	PhaseComparing = "comparing"
	PhasePulling   = "pulling"
	PhaseBuilding  = "building"
)

// Progress of a snapshot that is being staged. All counts are since Stage began.
type Progress struct {
	// Phase is one of the constants.
	Phase string
	// PagesTotal of the snapshot; PagesDone of them are there by now, PagesReused of those were there before.
	PagesTotal, PagesDone, PagesReused uint64
	// Bytes of items that came from the leader and from other members, and of the manifest.
	BytesFromLeader, BytesFromOthers, BytesManifest uint64
	// ByTable are the bytes of items by table.
	ByTable map[uint8]uint64
	// Source is the member that is being pulled from, if any.
	Source raft.ServerID
}
