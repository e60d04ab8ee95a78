package node

import (
	"context"
	"errors"
	"fmt"
)

// stop stops the member in order, within Config.ShutdownTimeout: nothing new is accepted, leadership goes to another
// member, what was accepted is answered; then everything is taken down from the top.
func (n *node) stop() error {
	n.Logger.Info("stopping", "timeout", n.Config.ShutdownTimeout.String())
	ctx, cancel := context.WithTimeout(context.Background(), n.Config.ShutdownTimeout)
	defer cancel()
	n.Systemd.Stopping()
	n.gate.Close()
	n.handOver(ctx)
	n.drain(ctx)
	if err := n.undo.unwind(ctx); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	n.Logger.Info("stopped in order")
	return nil
}

// handOverElections is how many election timeouts a hand-over may take. A successor that is there needs far less than
// one; where all members are stopped at the same time there is none, and waiting is of no use.
const handOverElections = 4

// handOver gives leadership away where this member has it, in half of the time there is at most. Where it cannot, the
// others elect a leader by themselves once this member is gone.
func (n *node) handOver(ctx context.Context) {
	if !n.leading() {
		return
	}
	limit := min(n.Config.ShutdownTimeout/2, handOverElections*n.Config.ElectionTimeout)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if name, err := n.transfers.To(ctx, ""); err != nil {
		n.Logger.Warn("leadership is not handed over; the others will elect a leader", "error", err)
	} else {
		n.Logger.Info("leadership is handed over", "to", name)
	}
}

// drain waits until what was accepted is answered, in a quarter of the time there is.
func (n *node) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, n.Config.ShutdownTimeout/4)
	defer cancel()
	if err := n.coalescer.Drain(ctx); err != nil {
		n.Logger.Warn("some requests are not answered; their callers retry elsewhere", "error", err)
	}
}

// stopRaft stops agreeing. The state machine is told first, because raft may drop a batch while it shuts down and still
// deliver the next; then the transport, because raft waits for goroutines that wait for its calls.
func (n *node) stopRaft(ctx context.Context) error {
	n.machine.BeginShutdown()
	n.transport.StopCalls()
	if err := bounded(ctx, n.raft.Shutdown().Error); errors.Is(err, context.DeadlineExceeded) {
		// What raft stands on must not be closed under it.
		n.Fatal(fmt.Errorf("raft did not stop within %v", n.Config.ShutdownTimeout))
	} else if err != nil {
		return err
	}
	if n.coalescer == nil {
		return nil
	}
	// Only now has raft answered everything that it ever will.
	return n.coalescer.Close(ctx)
}
