package node

import (
	"context"
	"fmt"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// startProgress changes as long as the start gets on.
func (n *node) startProgress() string {
	text := fmt.Sprintf("starting: step %d.%d", n.floor.Load(), n.steps.Load())
	if done := n.loaded.Load(); done > 0 {
		text += fmt.Sprintf(", %d pages of the newest snapshot are loaded", done)
	}
	return text
}

// watchPulse keeps the service manager told what the member does and that it is alive.
func (n *node) watchPulse() error {
	p := &pulse{raft: n.raft, fed: n.fed}
	n.undo.pushClose("end the watch over the member's pulse", run(func(ctx context.Context) {
		n.Systemd.Watch(ctx, n.doing, p.alive)
	}))
	return nil
}

// doing says what the member does, as its status does.
func (n *node) doing() string {
	s, err := n.operator.Status(context.Background(), &ballastv1.StatusRequest{})
	if err != nil {
		return err.Error()
	}
	return s.GetState()
}
