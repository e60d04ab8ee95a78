package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"

	"github.com/ballastdb/ballast/internal/testcluster"
)

// firstIndexAbove tells, by what a member logs when it deletes old entries, whether its log up to index is gone.
func firstIndexAbove(m *testcluster.Member, index uint64) error {
	data, err := os.ReadFile(m.LogPath())
	if err != nil {
		return err
	}
	first := uint64(0)
	for _, line := range regexp.MustCompile(`deleted old entries of the log.*?"?first"?[=:](\d+)`).FindAllSubmatch(data, -1) {
		n, err := strconv.ParseUint(string(line[1]), 10, 64)
		if err != nil {
			return err
		}
		first = max(first, n)
	}
	if first <= index+1 {
		return fmt.Errorf("the log of %s begins at %d, waiting for one that begins beyond %d", m.Name, first, index+1)
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
