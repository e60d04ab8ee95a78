package node

import (
	"context"
	"io"
	"math"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/upkeep"
	"github.com/ballastdb/ballast/snapshots"
	"github.com/ballastdb/ballast/transport"
)

func (n *node) openTransport() (err error) {
	n.staging = &staging{Stager: stager{n.snapshots}, room: n.roomToTakeIn, fatal: n.Fatal}
	n.transport, err = transport.New(transport.Config{
		Identity: n.identity, LocalID: n.id, LocalAddress: raft.ServerAddress(n.Config.MemberAddress),
		Logger: n.Logger.Named("transport"),
		Stager: n.staging, Pages: soundPages{n}, NewestSnapshot: n.snapshots.NewestIndex,
		Journal:     journalServer{n.machine},
		Clock:       n.hooks.clock,
		Checkpoints: n.checkpoints,
		Census:      n.answerCensus, Misaddressed: n.noteMisaddressed,
		Covered:     n.covered,
		Room:        n.roomForLog,
		Dial:        n.hooks.dial,
		DialOptions: n.hooks.dialOptions,
		Credentials: n.security.peer, Caller: n.security.caller(),
		Voters: n.voters, Tell: n.tell,
		Judge: n.judgeOffer, Conflict: n.cutLog, PinLog: n.pinLog, Outgrown: n.noteOutgrown,
		BeforeInstall: n.beforeInstall, Busy: n.strain.busy,
		// Asked only once members are served, which is after raft was started.
		CurrentTerm: func() uint64 { return n.raft.CurrentTerm() },
		Silent:      n.silentLeader,
		Leading:     func(term uint64) bool { return n.leading() && n.raft.CurrentTerm() == term },
	})
	if err != nil {
		return err
	}
	n.undo.pushClose("close the transport", n.transport.Close)
	n.machine.OnUpkeep(n.setTransfers)
	n.undo.pushClose("end the watch over latencies", run(n.strain.run))
	return nil
}

// silentLeader is whom raft takes for the leader though it heard nothing for so long that it may seek another.
func (n *node) silentLeader() raft.ServerAddress {
	leader, _ := n.raft.LeaderWithID()
	if n.raft.State() != raft.Follower || time.Since(n.raft.LastContact()) < n.Config.HeartbeatTimeout {
		return ""
	}
	return leader
}

// logWrites are how many writes of the log were done so far, and how long they took together.
func (n *node) logWrites() (count uint64, total time.Duration) {
	w := n.log.Status().Writes
	return w.Count, w.Total
}

// setTransfers has the transport follow the replicated settings.
func (n *node) setTransfers(s upkeep.Settings) {
	rate := func(v uint64) int { return int(min(v, math.MaxInt)) }
	for what, err := range map[string]error{
		"max_transfers": n.transport.SetMaxTransfers(int(s.MaxTransfers)),
		"transfer_rate": n.transport.SetTransferRate(rate(s.TransferRate)),
		"backfill_rate": n.transport.SetJournalRate(rate(s.BackfillRate)),
	} {
		if err != nil { // their bounds are the stricter ones
			n.Logger.Error("a setting is not followed", "setting", what, "error", err)
		}
	}
}

// stager is what the snapshots are to the transport.
type stager struct{ snapshots *snapshots.RaftStore }

// Stage implements transport.Stager.
func (s stager) Stage(ctx context.Context, r *raft.InstallSnapshotRequest, manifest io.Reader, from transport.Puller, progress func(transport.Progress)) ([]byte, error) {
	return s.snapshots.Stage(ctx, r, manifest, puller{from}, func(p snapshots.Progress) { progress(transport.Progress(p)) })
}

// puller is the transport to the snapshots.
type puller struct{ transport.Puller }

// Sources implements snapshots.Puller.
func (p puller) Sources() []snapshots.Source {
	from := p.Puller.Sources()
	sources := make([]snapshots.Source, len(from))
	for i, s := range from {
		sources[i] = snapshots.Source(s)
	}
	return sources
}

// Pull implements snapshots.Puller.
func (p puller) Pull(ctx context.Context, s snapshots.Source, index, term uint64, wants []byte, got func(items []byte) error) error {
	return p.Puller.Pull(ctx, transport.Source(s), index, term, wants, got)
}
