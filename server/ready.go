package server

import (
	"fmt"
	"time"

	"github.com/ballastdb/ballast/internal/diskspace"
)

const (
	// readyLag is how far, in log time, a member may be behind and still be ready. Within it callers are not sent away
	// from a member that only waits for its disk for a moment.
	readyLag = 10 * time.Second
	// readySilence is how long a follower may have heard nothing from its leader.
	readySilence = 5 * time.Second
)

// NotReady says why callers should be sent to other members for now; nothing: this one is ready. It is: a member of the
// configuration, which knows a leader and heard from it lately, is caught up within a bound, and can write to its disk.
func NotReady(f *Facts) (reasons []string) {
	no := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	switch f.Standing.Phase {
	case PhaseStopping, PhaseDiverged, PhaseAlone, PhasePages, PhaseTurn:
		no("it is %s", f.Standing.Phase)
	}
	switch {
	case !f.Raft.LeaderKnown:
		no("it knows no leader: a majority of the voters must run")
	case f.Raft.SinceContact < 0:
		no("it has not heard from its leader since it started")
	case f.Raft.SinceContact > readySilence:
		no("it has not heard from its leader for %s", f.Raft.SinceContact.Round(time.Millisecond))
	case !f.Standing.Known:
		no("its leader has not told yet how far it is")
	case f.Standing.LagEntries > maxLag && f.Standing.Lag > readyLag:
		no("it is %d entries and %s of log time behind its leader", f.Standing.LagEntries, f.Standing.Lag.Round(time.Millisecond))
	}
	if f.Disk != nil && !f.Disk.Writable {
		no("its disk cannot be written: %s", f.Disk.Problem)
	}
	if f.Disk != nil && f.Disk.Room == diskspace.Full {
		no("its disk is full: it takes no more of the log until there is room")
	}
	return reasons
}
