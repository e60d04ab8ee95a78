package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/repair"
	"github.com/ballastdb/ballast/snapshots"
	"github.com/ballastdb/ballast/transport"
)

// loadSnapshot reads the newest snapshot into memory, all of it checked, so that raft finds it made ready. Where it is
// damaged, or the state was found wrong when the member ran last, nothing older is used and raft does not start: a newer one
// is taken in from another member first. Nothing is served meanwhile.
func (n *node) loadSnapshot(ctx context.Context) error {
	damage, err := n.tryLoading(ctx)
	if err != nil || damage == nil {
		return err
	}
	n.Logger.Error("the newest snapshot is not to be used: this member takes in another one from the other members before it does anything else",
		"damage", damage, "to_give_the_member_up_instead", n.dir.Replace())
	if err := n.repairSnapshot(ctx); errors.Is(err, repair.ErrNobody) {
		return n.dir.RefuseDamaged(damage)
	} else if err != nil {
		return fmt.Errorf("repair the newest snapshot (%w): %w", damage, err)
	}
	n.note = nil
	return n.dir.Pardon()
}

// tryLoading loads the newest snapshot. damage is why it cannot be used.
func (n *node) tryLoading(ctx context.Context) (damage, err error) {
	store, err := snapshots.Open(vfs.OS{}, n.dir.Snapshots())
	var damaged *snapshots.DamagedError
	if errors.As(err, &damaged) {
		return err, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the snapshots: %w", err)
	}
	of := n.raftStore(store)
	defer func() { err = errors.Join(err, of.Close(), store.Close()) }()
	if damage, err := n.heedNote(of.NewestIndex()); damage != nil || err != nil {
		return damage, err
	}
	if damage, err := n.lostBefore(of.NewestIndex()); damage != nil || err != nil {
		return damage, err
	}
	began := time.Now()
	said := began
	err = of.Load(func(done, total int) error {
		n.steps.Add(1)
		n.loaded.Store(uint64(done))
		if time.Since(said) > sayLoading {
			said = time.Now()
			n.Logger.Info("loading the newest snapshot", "pages", done, "of", total, "after", time.Since(began).String())
		}
		return ctx.Err()
	})
	if errors.As(err, &damaged) || errors.Is(err, fsm.ErrCorruptSnapshot) {
		return err, nil
	}
	if err == nil {
		n.Logger.Info("the newest snapshot is loaded", "index", of.NewestIndex(), "took", time.Since(began).String())
	}
	return nil, err
}

// lostBefore is why a snapshot of an index is of no use: the log begins beyond it, so that entries between them are lost. One that
// goes to the log mends that.
func (n *node) lostBefore(index uint64) (damage, err error) {
	first, err := n.log.FirstIndex()
	if err != nil {
		return nil, fmt.Errorf("read the raft log: %w", err)
	}
	if first <= index+1 {
		return nil, nil
	}
	return fmt.Errorf("the raft log begins at %d and the newest snapshot ends at %d: what was between them is not here", first, index), nil
}

// sayLoading is how often it is said how far loading is.
const sayLoading = 2 * time.Second

// raftStore is the snapshots of a store, to load or repair them before raft runs.
func (n *node) raftStore(store *snapshots.Store) *snapshots.RaftStore {
	return snapshots.NewRaftStore(snapshots.RaftConfig{
		Store: store, Owner: stateOwner{n.machine}, Logger: n.Logger.Named("snapshots"), Fatal: n.Fatal,
	})
}

// repairSnapshot takes in a snapshot from another member, with what is good of the one here, until that is done or ctx ends.
func (n *node) repairSnapshot(ctx context.Context) (err error) {
	store, err := snapshots.OpenDamaged(vfs.OS{}, n.dir.Snapshots())
	if err != nil {
		return err
	}
	to := n.raftStore(store)
	defer func() { err = errors.Join(err, to.Close(), store.Close()) }()
	members, err := n.callers()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, members.Close()) }()
	defer members.StopCalls()
	first, err := n.log.FirstIndex()
	if err != nil {
		return fmt.Errorf("read the raft log: %w", err)
	}
	offer, err := repair.Snapshot(ctx, repair.SnapshotConfig{
		Peers: n.knownPeers(store.Configuration()), Members: members, Least: max(store.Least(), max(first, 1)-1), Logger: n.Logger.Named("repair"),
		Install: func(ctx context.Context, manifest []byte, from snapshots.Puller, progress func(snapshots.Progress)) error {
			return to.Repair(ctx, manifest, from, func(p snapshots.Progress) {
				n.steps.Add(1)
				progress(p)
			})
		},
		Alive: func() { n.steps.Add(1) },
	})
	if err != nil {
		return err
	}
	n.Logger.Info("the newest snapshot is repaired", "index", offer.Index, "term", offer.Term, "digest", offer.Digest.String())
	return nil
}

// callers is a transport that only calls.
func (n *node) callers() (*transport.Transport, error) {
	return transport.New(transport.Config{
		Identity: n.identity, LocalID: n.id, LocalAddress: raft.ServerAddress(n.Config.MemberAddress),
		Logger: n.Logger.Named("transport"), Stager: refuser{}, CurrentTerm: func() uint64 { return 0 },
		Dial: n.hooks.dial, DialOptions: n.hooks.dialOptions, Credentials: n.security.peer,
	})
}

// refuser is the Stager of a transport that is not served.
type refuser struct{}

// Stage implements transport.Stager.
func (refuser) Stage(context.Context, *raft.InstallSnapshotRequest, io.Reader, transport.Puller, func(transport.Progress)) ([]byte, error) {
	return nil, errors.New("this member is not up yet")
}

// knownPeers are the other members as they were noted last, and those of the newest snapshot's configuration that were not.
func (n *node) knownPeers(configuration raft.Configuration) (peers []raft.Server) {
	noted, err := n.dir.Peers()
	if err != nil {
		n.Logger.Warn("where the other members are cannot be read", "error", err)
	}
	known := map[raft.ServerID]bool{n.id: true}
	add := func(id raft.ServerID, address raft.ServerAddress) {
		if !known[id] {
			known[id] = true
			peers = append(peers, raft.Server{ID: id, Address: address})
		}
	}
	for _, p := range noted {
		add(raft.ServerID(p.ID), raft.ServerAddress(p.Address))
	}
	if len(noted) == 0 {
		for _, s := range configuration.Servers {
			add(s.ID, s.Address)
		}
	}
	return peers
}

// notePeriod is how often the members are compared with those that are noted.
const notePeriod = time.Second

// notePeers keeps it noted where the other members are, for a start that finds everything else damaged.
func (n *node) notePeers(ctx context.Context) {
	noted, err := n.dir.Peers()
	if err != nil {
		noted = nil // damaged: written anew
	}
	ticker := time.NewTicker(notePeriod)
	defer ticker.Stop()
	for ended := false; ; {
		future := n.raft.GetConfiguration()
		if err := future.Error(); err == nil {
			noted = n.notePeersOf(future.Configuration(), noted)
		}
		if ended {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			ended = true // once more: a member that was just added would go without
		}
	}
}

// notePeersOf notes the others of a configuration where they are not those that are noted; it answers who is.
func (n *node) notePeersOf(configuration raft.Configuration, noted []datadir.Peer) []datadir.Peer {
	peers := others(configuration, n.id)
	if slices.Equal(peers, noted) {
		return noted
	}
	if err := n.dir.WritePeers(peers); err != nil {
		n.Logger.Warn("where the other members are could not be noted", "error", err)
		return noted
	}
	return peers
}

func others(configuration raft.Configuration, self raft.ServerID) (peers []datadir.Peer) {
	for _, s := range configuration.Servers {
		if s.ID != self {
			peers = append(peers, datadir.Peer{ID: string(s.ID), Address: string(s.Address)})
		}
	}
	return peers
}

// covered is index and term of the newest snapshot while the log is empty: after a snapshot was taken in that is beyond it.
func (n *node) covered() (index, term uint64) {
	if last, err := n.log.LastIndex(); err != nil || last > 0 {
		return 0, 0
	}
	return n.snapshots.NewestSnapshot()
}
