package catchup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/internal/faults"
	"github.com/ballastdb/ballast/internal/testcluster"
	"github.com/ballastdb/ballast/internal/wait"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// shortLog has every member keep as little log as it may, and snapshots taken as often as they may be, so that a member
// that is away is beyond the log soon.
func (r *rig) shortLog(ctx context.Context) error {
	retention, least, most := uint64(1<<20), uint64(256<<10), uint64(1<<20)
	return r.set(ctx, &ballastv1.Settings{
		LogRetentionBytes: &retention, LogRetentionTime: durationpb.New(time.Second),
		SnapshotMinLogBytes: &least, SnapshotMaxLogBytes: &most,
	})
}

// committed is the newest index that the leader knows to be committed.
func (r *rig) committed(ctx context.Context) (uint64, error) {
	leader, err := r.leader(ctx)
	if err != nil {
		return 0, err
	}
	s, err := leader.Status(ctx)
	return s.GetCommitIndex(), err
}

// cut cuts members off from all others, each other included, at once: connections stall both ways.
func (r *rig) cut(members ...*testcluster.Member) error {
	var errs []error
	away := map[*testcluster.Member]bool{}
	for _, m := range members {
		away[m] = true
	}
	for _, m := range r.cluster.Members {
		f := faults.Faults{LogStall: m.Faults().LogStall}
		for _, other := range r.others(m) {
			if away[m] || away[other] {
				f.StallWritesTo = append(f.StallWritesTo, other.MemberAddress)
				f.StallReadsFrom = append(f.StallReadsFrom, other.MemberAddress)
			}
		}
		errs = append(errs, m.SetFaults(f))
	}
	return errors.Join(errs...)
}

// heal ends every fault.
func (r *rig) heal() error { return r.cluster.Heal() }

// littleLog has every member keep as little log behind its newest snapshot as it may, and snapshots taken as usual.
func (r *rig) littleLog(ctx context.Context) error {
	retention := uint64(1 << 20)
	return r.set(ctx, &ballastv1.Settings{LogRetentionBytes: &retention, LogRetentionTime: durationpb.New(time.Second)})
}

// beyondLog waits until the snapshot of every member that is not away is of at least an index, and beyond what any of those
// away has in its log; and a retention of log later.
func (r *rig) beyondLog(ctx context.Context, index uint64, away ...*testcluster.Member) error {
	has := index
	for _, m := range away {
		s, err := m.Status(ctx)
		if err != nil {
			return fmt.Errorf("%s, which is away: %w", m.Name, err)
		}
		has = max(has, s.LastLogIndex+1)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for _, m := range r.others(away...) {
		if err := r.hasSnapshot(ctx, m, has); err != nil {
			return err
		}
	}
	return wait.For(ctx, r.scaled(4*time.Second))
}
