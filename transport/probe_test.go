package transport

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// A probe makes a connection of its own and tells the other's clock; who is not the member of that id, or not there, is an error.
func TestProbe(t *testing.T) {
	shown := time.Unix(1_800_000_000, 5)
	a := startMember(t, "a", nil)
	b := startMember(t, "b", func(c *Config) { c.Clock = func() time.Time { return shown } })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if clock, err := a.Probe(ctx, b.id, b.address); err != nil || !clock.Equal(shown) {
		t.Errorf("%v, %v, want %v", clock, err, shown)
	}
	if _, err := a.Probe(ctx, ServerID("b", [16]byte{1}), b.address); err == nil || !strings.Contains(err.Error(), "receiver's incarnation") {
		t.Errorf("another incarnation: %v", err)
	}
	if _, err := a.Probe(ctx, "nobody", b.address); err == nil || !strings.Contains(err.Error(), "name/incarnation") {
		t.Errorf("no id: %v", err)
	}
	if _, err := a.Probe(ctx, b.id, raft.ServerAddress("127.0.0.1:1")); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("where nobody listens: %v", err)
	}
	a.mu.Lock()
	peers := len(a.peers)
	a.mu.Unlock()
	if peers != 0 {
		t.Errorf("it keeps connections to %d peers", peers)
	}
	a.StopCalls()
	if _, err := a.Probe(ctx, b.id, b.address); err != raft.ErrTransportShutdown {
		t.Errorf("after the end: %v", err)
	}
}
