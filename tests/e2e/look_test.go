package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/ballastdb/ballast/internal/testcluster"
)

// firstIndexAbove tells, by what the member says at the level debug, whether its log up to index is gone.
func firstIndexAbove(m *testcluster.Member, index uint64) error {
	logged, err := os.ReadFile(m.LogPath())
	if err != nil {
		return err
	}
	first := uint64(0)
	for line := range bytes.Lines(logged) {
		var said struct {
			Message string `json:"@message"`
			First   uint64 `json:"first"`
		}
		if json.Unmarshal(line, &said) == nil && said.Message == "the old end of the log is deleted" {
			first = said.First
		}
	}
	if first <= index {
		return fmt.Errorf("the log of %s begins at %d, waiting for one beyond %d", m.Name, first, index)
	}
	return nil
}

// lostLeader is nil once the member knows no leader.
func lostLeader(ctx context.Context, m *testcluster.Member) error {
	s, err := m.Status(ctx)
	if err != nil {
		return err
	}
	if s.Leader != "" {
		return fmt.Errorf("%s still follows %s", m.Name, s.Leader)
	}
	if s.LastContact == nil {
		return errors.New("it never heard from a leader")
	}
	return nil
}

// caughtUp is nil once the member shows what the leader had committed a moment before.
func caughtUp(ctx context.Context, c *testcluster.Cluster, m *testcluster.Member) error {
	leader, err := c.WaitLeader(ctx)
	if err != nil {
		return err
	}
	ahead, err := leader.Status(ctx)
	if err != nil {
		return err
	}
	s, err := m.Status(ctx)
	if err != nil {
		return err
	}
	const near = 64 // Entries: the load goes on.
	if s.AppliedIndex+near < ahead.AppliedIndex || s.Leader != leader.Name {
		return fmt.Errorf("%s has applied %d of %d and follows %q", m.Name, s.AppliedIndex, ahead.AppliedIndex, s.Leader)
	}
	return nil
}
