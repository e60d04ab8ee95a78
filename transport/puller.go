package transport

import (
	"context"
	"errors"
	"io"

	"github.com/hashicorp/raft"
)

var (
	// ErrUnreachable says that a member was not reached in a moment. It is not tried again for some seconds.
	ErrUnreachable = errors.New("member not reached")
	// ErrBusy says that a member serves as many others as it may.
	ErrBusy = errors.New("member serves others")
	// ErrNotHere says that a member does not have what it was asked for.
	ErrNotHere = errors.New("member does not have it")
)

// MaxWantsBytes bounds what one Pull asks with.
const MaxWantsBytes = 1 << 20

// Stager makes a snapshot that is offered ready, outside raft's main loop.
type Stager interface {
	// Stage reads the snapshot's manifest to its end, where size and checksum have proved right, pulls what this member lacks
	// from others, verifies all of it, and makes it durable and ready but for one step, which raft's snapshot store takes
	// when raft gives it the token. An error of manifest's, and its error after ctx's end, is passed on. It may answer
	// without reading manifest where the very same snapshot is staged already.
	//
	// It calls progress whenever it got on, from one goroutine at a time, also where it is only computing: one that is
	// silent for Timeouts.InstallAnswer is given up by the leader. It is called once at a time, and waited for by Close.
	Stage(ctx context.Context, r *raft.InstallSnapshotRequest, manifest io.Reader, from Puller, progress func(Progress)) (token []byte, err error)
}

// Pages of this member's snapshots, for other members.
type Pages interface {
	// ServePages answers wants with items of the snapshot with this index and term, or of the newest where a page is the same
	// there, in the order asked. Each call of send carries whole items, up to 512 KiB; it blocks, and keeps nothing of items. What
	// this member does not have is said so in the items. It returns soon after ctx's end.
	ServePages(ctx context.Context, index, term uint64, wants []byte, send func(items []byte) error) error
	// Manifest is the newest snapshot's, encoded; nil: there is none.
	Manifest() ([]byte, error)
}

// Journal of this member, for other members.
type Journal interface {
	// ReadJournal returns whole entries that follow sequence after, together up to maxBytes but at least one; none: the
	// journal ends there. ErrNotHere: the next entry is not here, in the middle of the journal.
	ReadJournal(after uint64, maxBytes int) ([]byte, error)
}

// Source is a member that pages can be pulled from.
type Source struct {
	ID      raft.ServerID
	Address raft.ServerAddress
	Leader  bool // it offers the snapshot
}

// Puller pulls pages of a snapshot that is offered.
type Puller interface {
	// Sources are the members of the configuration that came with the offer, this one excepted; the leader last.
	Sources() []Source
	// Pull asks s for pages of the snapshot with this index and term. wants is up to MaxWantsBytes; got is called with whole
	// items as they arrive, which it may keep, and ends the pull with its error. ErrUnreachable, ErrBusy: nothing came,
	// ask another. Any other error may come after some items.
	Pull(ctx context.Context, s Source, index, term uint64, wants []byte, got func(items []byte) error) error
}

// Progress of a snapshot that is being taken in. All counts are since Stage began. Who shows it derives rates.
type Progress struct {
	// Phase is a word for what is being done, up to 32 bytes.
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
