package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/internal/diskspace"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/logstore"
	"github.com/ballastdb/ballast/server"
)

// spaceTick is how often it is looked how much room there is.
const spaceTick = time.Second

// errNoRoom is why something that can wait is not written.
var errNoRoom = errors.New("the disk is low")

// openSpace makes room for opening the rest, where the disk is full, and looks after it from then on.
func (n *node) openSpace() error {
	n.space = diskspace.New(diskspace.Config{
		FS: vfs.OS{}, Dir: n.dir.Root(), Measure: n.measureDisk, Low: n.Config.DiskLow, Reserve: n.Config.DiskReserve, Logger: n.Logger.Named("disk"),
	})
	n.space.Start()
	n.undo.pushClose("end the look at the room on the disk", run(n.watchSpace))
	return nil
}

func (n *node) measureDisk() (free, size uint64, err error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(n.dir.Root(), &stat); err != nil {
		return 0, 0, fmt.Errorf("statfs %s: %w", n.dir.Root(), err)
	}
	free, size = stat.Bavail*uint64(stat.Bsize), stat.Blocks*uint64(stat.Bsize) //nolint:gosec // a block has a size
	if n.hooks.diskFree != nil {
		free = n.hooks.diskFree(free)
	}
	return free, size, nil
}

func (n *node) watchSpace(ctx context.Context) {
	ticker := time.NewTicker(spaceTick)
	defer ticker.Stop()
	for {
		n.kept.squeeze(n.space.Look().Level >= diskspace.Low)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// startRoom has a leader act on what the voters' disks have.
func (n *node) startRoom() error {
	room := server.NewRoom(server.RoomConfig{
		Raft: n.raft, LocalID: n.id, Roster: n.machine, Peers: n.peers, Gate: n.gate, HandOver: n.toAnyOther,
		Own: func() diskspace.Level { return n.space.State().Level }, Logger: n.Logger.Named("disk"),
	})
	n.undo.pushClose("end the look at the room on the voters' disks", run(room.Run))
	return nil
}

// roomToTakeIn is nil where what other members send may be written.
func (n *node) roomToTakeIn() error {
	if s := n.space.State(); s.Level >= diskspace.Low {
		return fmt.Errorf("%w: %s free, %s are needed: make room", errNoRoom, render.Bytes(s.Free), render.Bytes(s.Clear()))
	}
	return nil
}

// roomForSnapshot is nil where a snapshot of this member's own may be written. On a low disk one that fits is, because
// it lets the log go.
func (n *node) roomForSnapshot() error {
	s := n.space.State()
	if s.Level <= diskspace.Ample {
		return nil
	}
	weight := n.machine.Weight().SnapshotBytes
	if s.Level == diskspace.Low && s.Free >= weight+s.Low/2 {
		return nil
	}
	return fmt.Errorf("%w: %s free, and a snapshot would write about %s: make room", errNoRoom, render.Bytes(s.Free), render.Bytes(weight))
}

// roomForLog is nil where entries of the leader's log are taken.
func (n *node) roomForLog() error {
	if s := n.space.State(); s.Level >= diskspace.Full {
		return fmt.Errorf("the disk of this member is full, %s free: it takes no entries until there is room", render.Bytes(s.Free))
	}
	return nil
}

// thrifty is a log that keeps to a retention, and on a low disk keeps nothing for other members.
type thrifty struct {
	log trimmed

	mu     sync.Mutex
	wanted logstore.Retention
	known  bool
	low    bool
}

// over says which log it is.
func (t *thrifty) over(log trimmed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log = log
}

// SetRetention implements trimmed.
func (t *thrifty) SetRetention(r logstore.Retention) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wanted, t.known = r, true
	t.set()
}

// squeeze says whether the disk is low.
func (t *thrifty) squeeze(low bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.low == low {
		return
	}
	t.low = low
	t.set()
}

// set tells the log; the caller holds the lock. Before the settings are known the log keeps all.
func (t *thrifty) set() {
	switch {
	case !t.known || t.log == nil:
	case t.low:
		t.log.SetRetention(logstore.Retention{Bytes: 1, PinBytes: 1})
	default:
		t.log.SetRetention(t.wanted)
	}
}

// roomyJournal is the journal to what fills its holes, which waits for room.
type roomyJournal struct {
	*fsm.FSM
	room func() error
}

// FillJournal implements repair.Journal.
func (j roomyJournal) FillJournal(h journal.Hole) (*journal.Filler, error) {
	if err := j.room(); err != nil {
		return nil, err
	}
	return j.FSM.FillJournal(h)
}

// spaceNote says how much room there is where that is too little; empty: it is not.
func (n *node) spaceNote() string {
	s := n.space.State()
	if s.Level <= diskspace.Ample {
		return ""
	}
	return fmt.Sprintf("its disk is %s, %s free of %s, below %s is low: make room (docs/runbooks/disk-full.md), and never by deleting anything in its data directory",
		s.Level, render.Bytes(s.Free), render.Bytes(s.Size), render.Bytes(s.Low))
}
