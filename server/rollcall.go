package server

import (
	"context"
	"time"
)

// rollCallEvery is how often a leader asks what the members' programs apply. It must have done so after the last upgrade of a
// member that does not answer when the cluster version is raised; else the raise is refused until the member answers.
const rollCallEvery = 5 * time.Second

// KeepRoster keeps, on the leader, the roster at who is a member and at what the members' programs apply, until ctx ends. It is one goroutine
// beside those that it waits for.
func (o *Operator) KeepRoster(ctx context.Context) {
	ticker := time.NewTicker(rollCallEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			o.forgetGone(ctx)
			o.noteVersions(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (o *Operator) noteVersions(ctx context.Context) {
	if _, ok := leads(o.cfg.Raft); !ok {
		return
	}
	for id, newest := range o.unnoted(ctx) {
		if err := o.noteVersion(ctx, id, newest); err != nil {
			o.cfg.Logger.Warn("what cluster versions a member applies could not be noted", "member", id, "newest", newest, "error", err)
			return
		}
		o.cfg.Logger.Info("a member's program applies other cluster versions than before", "member", id, "newest", newest)
	}
}
