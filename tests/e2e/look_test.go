package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ballastdb/ballast/internal/testcluster"
)

// firstIndexAbove tells, by the name of the member's newest snapshot (index-term.manifest, in hex), whether its log up to
// index is gone.
func firstIndexAbove(m *testcluster.Member, index uint64) error {
	manifests, err := filepath.Glob(filepath.Join(m.DataDir(), "snapshots", "*.manifest"))
	if err != nil {
		return err
	}
	newest := uint64(0)
	for _, name := range manifests {
		digits, _, _ := strings.Cut(filepath.Base(name), "-")
		n, err := strconv.ParseUint(digits, 16, 64)
		if err != nil {
			return err
		}
		newest = max(newest, n)
	}
	const trailing = 4 // As configured by the test.
	if newest <= index+trailing {
		return fmt.Errorf("the newest snapshot of %s is at %d, waiting for one beyond %d", m.Name, newest, index+trailing)
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
