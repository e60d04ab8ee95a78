package server

import (
	"context"
	"slices"

	"github.com/hashicorp/raft"
)

// forgetGone takes members off the roster that the configuration does not list: those that a recovery from a lost majority gave up, and
// those whose removal was cut short before it came to this.
func (o *Operator) forgetGone(ctx context.Context) {
	if _, ok := leads(o.cfg.Raft); !ok || len(o.gone()) == 0 {
		return
	}
	c, failure := o.change(ctx)
	if failure != nil {
		return // it is tried again
	}
	defer c.end()
	for _, id := range o.gone() {
		if err := o.cfg.Commands.Forget(c.ctx, id); err != nil {
			o.cfg.Logger.Warn("the addresses of a member that is gone are still announced", "member", id, "error", err)
			return
		}
		o.cfg.Logger.Info("the addresses of a member that is gone are no longer announced", "member", id)
	}
}

// gone are the members of the roster that the configuration does not list.
func (o *Operator) gone() (list []raft.ServerID) {
	// Read before the configuration: who is announced was listed before, so one that comes in meanwhile is not taken for gone.
	known := o.cfg.Store.Members()
	configuration, _, err := latest(o.cfg.Raft)
	if err != nil {
		return nil // raft has been shut down
	}
	for _, m := range known {
		if !slices.ContainsFunc(configuration.Servers, func(s raft.Server) bool { return string(s.ID) == m.ID }) {
			list = append(list, raft.ServerID(m.ID))
		}
	}
	return list
}
