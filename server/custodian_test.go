package server

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// TestLeaderThatCannotReadItsSnapshotHandsOver: whether reading it fails or hangs; also where the first hand-over fails.
// One that does not lead is left alone, and one that can read it again stays leader.
func TestLeaderThatCannotReadItsSnapshotHandsOver(t *testing.T) {
	failing := errors.New("input/output error")
	hang := make(chan struct{})
	for name, probe := range map[string]func(context.Context) error{
		"fails": func(context.Context) error { return failing },
		"hangs": func(context.Context) error { <-hang; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			r := newFakeRaft()
			handed := make(chan struct{}, 100)
			tries := 0
			c := NewCustodian(CustodianConfig{
				Raft: r, Probe: probe, Logger: hclog.NewNullLogger(), Period: time.Millisecond, Limit: 20 * time.Millisecond,
				HandOver: func(context.Context) error {
					if tries++; tries == 1 {
						return errors.New("nobody is caught up")
					}
					r.with(func(r *fakeRaft) { r.state = raft.Follower })
					handed <- struct{}{}
					return nil
				},
			})
			ctx, cancel := context.WithCancel(context.Background())
			var running sync.WaitGroup
			defer running.Wait()
			defer cancel()
			running.Go(func() { c.Run(ctx) })
			receive(t, "a hand-over", handed)
			eventually(t, "a follower has nothing to say", func() bool { return len(c.Notes()) == 0 })
		})
	}
	close(hang)
}

// TestCustodianSaysWhatIsWrong, and has no more than one probe under way.
func TestCustodianSaysWhatIsWrong(t *testing.T) {
	r := newFakeRaft()
	begun, end := make(chan struct{}, 10), make(chan error)
	handed := 0
	c := NewCustodian(CustodianConfig{
		Raft: r, Logger: hclog.NewNullLogger(), Limit: time.Millisecond,
		Probe:    func(context.Context) error { begun <- struct{}{}; return <-end },
		HandOver: func(context.Context) error { handed++; return nil },
	})
	for range 3 {
		c.step(t.Context())
	}
	if len(begun) != 1 || handed != 3 {
		t.Errorf("%d probes under way, handed over %d times", len(begun), handed)
	}
	if notes := c.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "does not end") {
		t.Errorf("says %q", notes)
	}
	c.cfg.Limit = patience
	sent := make(chan struct{})
	go func() { end <- nil; close(sent) }()
	c.step(t.Context())
	<-sent
	if handed != 3 || len(c.Notes()) != 0 {
		t.Errorf("readable again: handed over %d times, says %q", handed, c.Notes())
	}
}
