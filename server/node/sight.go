package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/ballastdb/ballast/metrics"
	"github.com/ballastdb/ballast/server"
	"github.com/ballastdb/ballast/server/web"
)

// startSight starts what looks at the member: how it stands to its leader, whether it lives, whether its disk can be
// written.
func (n *node) startSight() error {
	n.disk = newDiskProbe(n.dir.Root())
	n.undo.pushClose("end the trial writes", run(n.disk.run))
	n.standing = server.NewStanding(server.StandingConfig{
		Raft: n.raft, LocalID: n.id, Roster: n.machine, Asker: n.peers, Gate: n.gate, Facts: n.ownFacts, LogTime: n.logTime,
	})
	n.undo.pushClose("end the comparison with the leader", run(n.standing.Run))
	n.alive = newLiveness(&pulse{raft: n.raft, fed: n.fed}, n.Logger.Named("pulse"))
	n.undo.pushClose("end the look at the member's pulse", run(n.alive.run))
	n.metrics.Collect(n.facts)
	return nil
}

// servePages answers HTTP at the operator address.
func (n *node) servePages(on net.Listener) {
	cfg := web.Config{
		Metrics: n.metrics.Handler(), Live: n.alive.problems,
		Ready: func() []string {
			f := n.facts()
			return append(server.NotReady(&f), n.alive.problems()...)
		},
		Notes: func() []string {
			if note := n.spaceNote(); note != "" {
				return []string{note}
			}
			return nil
		},
		Guard: n.security.guard, Logger: n.Logger.Named("pages"),
	}
	if n.TLS != nil {
		cfg.Caller = n.TLS.Caller
		on = tls.NewListener(on, n.TLS.HTTP())
	}
	pages := web.Server(cfg)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := pages.Serve(on); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.failed <- fmt.Errorf("serve pages at %s: %w", on.Addr(), err)
		}
	}()
	n.undo.pushClose("stop answering pages", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), streamsEnd)
		defer cancel()
		if pages.Shutdown(ctx) != nil { // a profile takes longer than that
			_ = pages.Close()
		}
		<-done
		return nil
	})
}

// observer tells the metrics what happens on the hot paths, and of commits the one too who slows transfers down for them.
type observer struct {
	*metrics.Metrics
	commits *tally
}

// Committed implements server.Observer.
func (o observer) Committed(took time.Duration) {
	o.Metrics.Committed(took)
	o.commits.add(took)
}
