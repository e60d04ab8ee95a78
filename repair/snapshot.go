package repair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/wait"
	"github.com/ballastdb/ballast/snapshots"
)

// ErrNobody: no other member of the cluster is known, so there is nobody to get a snapshot from.
var ErrNobody = errors.New("no other member of the cluster is known")

// Members are the other members, asked one by one. Both calls must end by themselves where a member does not answer.
type Members interface {
	FetchManifest(ctx context.Context, m raft.Server) ([]byte, error)
	FetchPages(ctx context.Context, m raft.Server, index, term uint64, wants []byte, got func(items []byte) error) error
}

// SnapshotConfig is what Snapshot needs.
type SnapshotConfig struct {
	// Peers are the other members, as they were known last.
	Peers   []raft.Server
	Members Members
	// Install takes in the snapshot with a manifest, pulling its pages, and makes it the newest: snapshots.RaftStore's
	// Repair.
	Install func(ctx context.Context, manifest []byte, from snapshots.Puller, progress func(snapshots.Progress)) error
	// Least is the lowest index that is of use.
	Least  uint64
	Logger hclog.Logger
	// Alive is called every now and then, also while nobody answers; may be nil.
	Alive func()
	// Pause between two rounds over all members. Default 2 s.
	Pause time.Duration
}

// offer is a manifest that a member has given.
type offer struct {
	snapshots.Offer
	from     raft.Server
	manifest []byte
	alike    int // members that offer the same, this one included
}

// agreeRounds is how many rounds members that could agree on a snapshot are waited for: one of them may be about to publish it.
const agreeRounds = 5

// Snapshot gets a snapshot from the other members, before this one takes part in anything: round after round until it has
// one, or ctx ends. The newest that a majority of all members offers alike is tried first. Where a majority offers something and
// not the same, that is waited for, for some rounds. Then, and where too few answer, what most offer alike and the newest of
// that is tried first; one that did not turn out to be good is tried last.
func Snapshot(ctx context.Context, cfg SnapshotConfig) (snapshots.Offer, error) {
	if len(cfg.Peers) == 0 {
		return snapshots.Offer{}, ErrNobody
	}
	if cfg.Pause == 0 {
		cfg.Pause = 2 * time.Second
	}
	failed := map[raft.ServerID]int{}
	for round := 1; ; round++ {
		offers, why := collect(ctx, &cfg)
		majority := (len(cfg.Peers)+1)/2 + 1
		rank(offers, failed, majority)
		switch {
		case len(offers) == 0:
		case offers[0].alike < majority && len(offers) >= majority && round <= agreeRounds:
			why = append(why, fmt.Errorf("%d members offer a snapshot, and no %d of them the same", len(offers), majority))
		default:
			err := install(ctx, &cfg, &offers[0])
			if err == nil {
				return offers[0].Offer, nil
			}
			failed[offers[0].from.ID]++
			why = append(why, err)
		}
		if ctx.Err() != nil {
			return snapshots.Offer{}, fmt.Errorf("no snapshot was had from another member: %w", context.Cause(ctx))
		}
		if cfg.Alive != nil {
			cfg.Alive()
		}
		cfg.Logger.Warn("no snapshot was had from another member; it is tried again", "round", round, "members", len(cfg.Peers), "error", errors.Join(why...))
		_ = wait.For(ctx, cfg.Pause)
	}
}

// rank sorts offers, the best first.
func rank(offers []offer, failed map[raft.ServerID]int, majority int) {
	for i := range offers {
		offers[i].alike = 0
		for j := range offers {
			if offers[i].Offer == offers[j].Offer {
				offers[i].alike++
			}
		}
	}
	slices.SortStableFunc(offers, func(a, b offer) int {
		if a, b := failed[a.from.ID], failed[b.from.ID]; a != b {
			return a - b
		}
		if a, b := a.alike >= majority, b.alike >= majority; a != b {
			if a {
				return -1
			}
			return 1
		}
		if a.Index != b.Index {
			return cmp.Compare(b.Index, a.Index)
		}
		return b.alike - a.alike
	})
}

// collect asks every member for the manifest of its newest snapshot, and keeps those that are of use.
func collect(ctx context.Context, cfg *SnapshotConfig) (offers []offer, why []error) {
	for _, m := range cfg.Peers {
		if ctx.Err() != nil {
			return offers, why
		}
		manifest, err := cfg.Members.FetchManifest(ctx, m)
		o := offer{from: m, manifest: manifest}
		if err == nil {
			o.Offer, err = snapshots.ReadOffer(manifest)
		}
		if err == nil && o.Index < cfg.Least {
			err = fmt.Errorf("%s has a snapshot of index %d, wanted one of %d or later", m.ID, o.Index, cfg.Least)
		}
		if err != nil {
			why = append(why, err)
			continue
		}
		offers = append(offers, o)
	}
	return offers, why
}

// install takes one offer in, and says how far it is now and then.
func install(ctx context.Context, cfg *SnapshotConfig, o *offer) error {
	cfg.Logger.Info("a snapshot is taken in from another member", "from", o.from.ID, "index", o.Index, "term", o.Term, "pages", o.Pages)
	said := time.Now()
	err := cfg.Install(ctx, o.manifest, &source{cfg: cfg, offered: o.from.ID}, func(p snapshots.Progress) {
		if time.Since(said) < 5*time.Second {
			return
		}
		said = time.Now()
		cfg.Logger.Info("taking in a snapshot", "phase", p.Phase, "pages_done", p.PagesDone, "pages", p.PagesTotal, "reused", p.PagesReused,
			"bytes", p.BytesFromLeader+p.BytesFromOthers)
	})
	if err != nil {
		return fmt.Errorf("the snapshot of index %d that %s offers was not taken in: %w", o.Index, o.from.ID, err)
	}
	return nil
}

// source has all members give pages; the one that offered the snapshot, last.
type source struct {
	cfg     *SnapshotConfig
	offered raft.ServerID
}

// Sources implements snapshots.Puller.
func (s *source) Sources() (list []snapshots.Source) {
	for _, last := range []bool{false, true} {
		for _, m := range s.cfg.Peers {
			if (m.ID == s.offered) == last {
				list = append(list, snapshots.Source{ID: m.ID, Address: m.Address, Leader: last})
			}
		}
	}
	return list
}

// Pull implements snapshots.Puller.
func (s *source) Pull(ctx context.Context, from snapshots.Source, index, term uint64, wants []byte, got func(items []byte) error) error {
	return s.cfg.Members.FetchPages(ctx, raft.Server{ID: from.ID, Address: from.Address}, index, term, wants, got)
}
