package server

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/roster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// RaiseClusterVersion is ballastv1.OperatorServiceServer's. Changes of the membership wait meanwhile, so that nobody comes in
// whose program was not asked about.
func (o *Operator) RaiseClusterVersion(
	ctx context.Context, r *ballastv1.RaiseClusterVersionRequest,
) (*ballastv1.RaiseClusterVersionResponse, error) {
	c, failure := o.change(ctx)
	if failure != nil {
		return nil, failure
	}
	defer c.end()
	before := o.cfg.Store.ClusterVersion()
	apply := o.rollCall(c)
	wanted := r.GetVersion()
	if wanted == 0 {
		wanted = max(lowest(apply), before)
	}
	if wanted < before {
		return nil, precondition("version: the cluster is at version %d, wanted %d: it can only be raised, because what was written since needs it",
			before, wanted)
	}
	if failure := everyMemberApplies(apply, wanted); failure != nil {
		return nil, failure
	}
	if wanted > before {
		if err := o.cfg.Commands.RaiseVersion(c.ctx, wanted); err != nil {
			return nil, withLeader(err, o.leader)
		}
		o.cfg.Logger.Info("the cluster version is raised", "from", before, "to", wanted)
	}
	return &ballastv1.RaiseClusterVersionResponse{Before: before, Version: wanted}, nil
}

// applies is what is known of a member's program.
type applies struct {
	id      raft.ServerID
	newest  uint32 // cluster version that it applies; 0: never told
	version string // of the program; empty: it did not answer now
	err     error  // why it did not
}

// rollCall asks every member what its program applies. Of one that does not answer counts what the roster has.
func (o *Operator) rollCall(c change) []applies {
	all := []applies{{id: o.localID(), newest: o.cfg.Self.NewestVersion, version: o.cfg.Version}}
	for _, a := range askOthers(c.ctx, o.cfg.Peers, o.cfg.Store, c.configuration, o.localID()) {
		if a.err == nil {
			all = append(all, applies{id: a.server.ID, newest: a.progress.NewestVersion, version: a.progress.Version})
			continue
		}
		known, _ := o.cfg.Store.Member(string(a.server.ID))
		all = append(all, applies{id: a.server.ID, newest: known.NewestVersion, err: a.err})
	}
	return all
}

// lowest is as far as all go that answer. That a silent one is not known to go along must be said, not passed over.
func lowest(all []applies) uint32 {
	low := all[0].newest
	for _, a := range all {
		if a.err == nil {
			low = min(low, a.newest)
		}
	}
	return low
}

// everyMemberApplies refuses a version that a member's program would stop at.
func everyMemberApplies(all []applies, wanted uint32) *Failure {
	var who []string
	for _, a := range all {
		if a.newest >= wanted {
			continue
		}
		text := fmt.Sprintf("%s applies versions up to %d", memberName(a.id), a.newest)
		switch {
		case a.newest == 0 && a.err != nil:
			text = fmt.Sprintf("%s has never told which versions it applies, and does not answer (%v)", memberName(a.id), a.err)
		case a.err != nil:
			text += fmt.Sprintf(" as far as it told before, and does not answer (%v)", a.err)
		default:
			text += fmt.Sprintf(" (program %s)", a.version)
		}
		who = append(who, text)
	}
	if len(who) == 0 {
		return nil
	}
	return precondition("not every member applies cluster version %d: %s; it would stop there: upgrade it first, or remove it if it is lost for good",
		wanted, strings.Join(who, "; "))
}

// tooOld refuses a member whose program would stop at what this cluster has agreed on.
func (o *Operator) tooOld(p Progress) *Failure {
	if now := o.cfg.Store.ClusterVersion(); p.NewestVersion < now {
		return precondition("the cluster is at version %d, and the program of %s (%s) applies versions up to %d: install the others' program there first",
			now, memberName(p.ID), p.Version, p.NewestVersion)
	}
	return nil
}

// noteVersion keeps in the roster what a member's program applies.
func (o *Operator) noteVersion(ctx context.Context, id raft.ServerID, newest uint32) error {
	c, failure := o.change(ctx)
	if failure != nil {
		return failure
	}
	defer c.end()
	known, ok := o.cfg.Store.Member(string(id))
	if !ok || known.NewestVersion == newest { // removed, or noted, meanwhile
		return nil
	}
	known.NewestVersion = newest
	return o.cfg.Commands.Announce(c.ctx, known)
}

// unnoted are the other members whose programs apply something else than the roster has.
func (o *Operator) unnoted(ctx context.Context) map[raft.ServerID]uint32 {
	configuration, _, err := latest(o.cfg.Raft)
	if err != nil {
		return nil // raft has been shut down
	}
	found := map[raft.ServerID]uint32{}
	for _, a := range askOthers(ctx, o.cfg.Peers, o.cfg.Store, configuration, o.localID()) {
		var known roster.Member
		var listed bool
		if a.err == nil {
			known, listed = o.cfg.Store.Member(string(a.server.ID))
		}
		if listed && known.NewestVersion != a.progress.NewestVersion {
			found[a.server.ID] = a.progress.NewestVersion
		}
	}
	return found
}
