package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/repair"
	"github.com/ballastdb/ballast/server"
	"github.com/ballastdb/ballast/snapshots"
	"github.com/ballastdb/ballast/transport"
)

// startComparing starts what finds out whether this member's state is right: the comparison with the others', the scrub, and
// the watch over what a leader must be able to give.
func (n *node) startComparing() error {
	n.comparer = server.NewComparer(server.ComparerConfig{
		Raft: n.raft, LocalID: n.id, Own: n.machine.Checkpoints, Members: checkpointReader{n.transport}, Gate: n.gate,
		Condemn: n.outvoted, Agreed: n.foundRight, Logger: n.Logger.Named("truth"),
	})
	n.undo.pushClose("end the comparison of states", run(n.comparer.Run))
	n.custodian = server.NewCustodian(server.CustodianConfig{
		Raft: n.raft, Probe: n.snapshots.Store.Probe, HandOver: n.toAnyOther, Logger: n.Logger.Named("truth"),
	})
	n.undo.pushClose("end the watch over the newest snapshot", run(n.custodian.Run))
	n.scrub = repair.NewScrub(repair.ScrubConfig{
		Parts: []repair.Part{n.machine.MemoryScrub(), n.snapshots.Store.Scrub(), n.machine.JournalScrub()}, Found: n.foundDamage, Logger: n.Logger.Named("scrub"),
	})
	n.undo.pushClose("end the scrub", run(n.scrub.Run))
	n.undo.pushClose("end noting where the others are", run(n.notePeers))
	if n.hooks.damage != nil {
		n.undo.pushClose("end what damages memory", run(func(ctx context.Context) { n.hooks.damage(ctx, n.machine) }))
	}
	return nil
}

// toAnyOther hands leadership over to whoever can have it.
func (n *node) toAnyOther(ctx context.Context) error {
	_, err := n.transfers.To(ctx, "")
	return err
}

// foundDamage acts on what the scrub finds. What is damaged in memory cannot be told from what is right, and whatever rests on
// it is wrong: this member stops. A page on the disk is written anew by the next snapshot, which the leader is asked for.
func (n *node) foundDamage(part string, err error) {
	var memory *page.MemoryError
	if errors.As(err, &memory) {
		index, _ := n.machine.Applied()
		n.condemn(datadir.Condemned{Reason: memory.Error(), Index: index, Agreed: n.comparer.LastAgreed()})
		return
	}
	n.Logger.Error("the scrub found damage", "part", part, "error", err)
	var file *snapshots.DamagedError
	if errors.As(err, &file) {
		n.foundDamaged(file)
	}
}

// outvoted condemns this member because the majority has another state.
func (n *node) outvoted(v server.Verdict) {
	n.condemn(datadir.Condemned{Reason: v.String(), Index: v.Index, Agreed: v.LastAgreed})
}

// condemn stops this member because its state is wrong: nothing of it is served, kept or sent to others from here on. A
// note in the data directory has the next start not trust what is on the disk either. Then the member stops in order,
// which hands leadership over. Only the first call does anything.
func (n *node) condemn(why datadir.Condemned) {
	n.condemned.Do(func() {
		message := fmt.Sprintf("stops, because its state is wrong: %s; it repairs itself when it is started again: ballastd run; calls go to the other members", why.Reason)
		n.gate.Condemn(message)
		n.machine.Halt(fmt.Errorf("the state is wrong: %s", why.Reason))
		n.Logger.Error("the state of this member is wrong; it stops", "reason", why.Reason, "index", why.Index, "right_until", why.Agreed)
		why.At = time.Now().UTC().Truncate(time.Second)
		if err := n.dir.Condemn(why); err != nil {
			n.Logger.Error("that the state is wrong could not be noted; the next start finds out again", "error", err)
		}
		n.failed <- fmt.Errorf("the state of this member was wrong: %s; start it again and it repairs itself", why.Reason)
	})
}

// foundRight removes the note that the state was wrong, once it was found right at a later checkpoint.
func (n *node) foundRight(index uint64) {
	if n.note == nil || index < n.note.Index {
		return
	}
	if err := n.dir.Pardon(); err != nil {
		n.Logger.Warn("the note that the state was wrong could not be removed", "error", err)
		return
	}
	n.Logger.Info("the state is that of the majority again", "checkpoint", index)
	n.note = nil
}

// heedNote looks whether the state was found wrong when the member ran last. One snapshot from before that time is trusted,
// once: what the log adds is computed again, and compared again. Otherwise what is on the disk may hold the same; damage
// says so.
func (n *node) heedNote(newest uint64) (damage, err error) {
	if n.note, err = n.dir.Condemned(); err != nil || n.note == nil {
		return nil, err
	}
	n.Logger.Warn("the state of this member was wrong when it ran last", "reason", n.note.Reason, "index", n.note.Index,
		"right_until", n.note.Agreed, "times", n.note.Times, "newest_snapshot", newest)
	if newest == 0 || newest <= n.note.Agreed && n.note.Times < 2 {
		n.Logger.Info("the newest snapshot is from before that: the state is computed anew from there")
		return nil, nil
	}
	return fmt.Errorf("the snapshot of index %d may hold what was wrong at index %d: %s", newest, n.note.Index, n.note.Reason), nil
}

// soundPages are the snapshots as other members may have them: not those of a state that is wrong.
type soundPages struct{ n *node }

// ServePages implements transport.Pages.
func (p soundPages) ServePages(ctx context.Context, index, term uint64, wants []byte, send func(items []byte) error) error {
	if err := p.n.machine.Halted(); err != nil {
		return err
	}
	return p.n.snapshots.ServePages(ctx, index, term, wants, send)
}

// Manifest implements transport.Pages.
func (p soundPages) Manifest() ([]byte, error) {
	if err := p.n.machine.Halted(); err != nil {
		return nil, err
	}
	return p.n.snapshots.Manifest()
}

// checkpoints are this member's, for another that compares.
func (n *node) checkpoints() []transport.Checkpoint {
	own := n.machine.Checkpoints()
	list := make([]transport.Checkpoint, len(own))
	for i, c := range own {
		list[i] = transport.Checkpoint{Index: c.Index, Digest: [16]byte(c.Digest.Bytes())}
	}
	return list
}

// checkpointReader is the transport as the comparer sees it.
type checkpointReader struct{ transport *transport.Transport }

// Checkpoints implements server.CheckpointReader.
func (r checkpointReader) Checkpoints(ctx context.Context, id raft.ServerID, address raft.ServerAddress) ([]fsm.Checkpoint, error) {
	told, err := r.transport.Checkpoints(ctx, id, address)
	if err != nil {
		return nil, err
	}
	list := make([]fsm.Checkpoint, len(told))
	for i, c := range told {
		list[i] = fsm.CheckpointOf(c.Index, c.Digest)
	}
	return list, nil
}
