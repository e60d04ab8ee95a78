package catchup

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/ballastdb/ballast/internal/testcluster"
	"github.com/ballastdb/ballast/internal/wait"
	"github.com/ballastdb/ballast/internal/workload"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// snapshotsTaken is how many snapshots are taken under load, each behind a time without one: a machine whose speed drifts slows
// both. What callers have to catch up with after one is counted as neither.
const (
	snapshotsTaken  = 3
	betweenTwo      = 12 * time.Second
	untilCaughtUp   = 5 * time.Second
	phaseSettling   = "settling"
	phasePersisting = "persisting"
)

// snapshot measures writers while a snapshot of everything is persisted, and what one writes when little has changed. Three voters
// share the machine where it holds them.
func snapshot(ctx context.Context, r *rig) error {
	if err := r.pause(ctx); err != nil {
		return err
	}
	debug.FreeOSMemory() // what the state machine of this process took
	voters := 3
	if r.Accounts > seedAbove {
		voters = 1
	}
	if err := r.form(ctx, shape{voters: voters}); err != nil {
		return err
	}
	r.report.add("members", float64(voters), unitCount)
	if err := r.snapshotOnce(ctx); err != nil {
		return err
	}
	rate, err := r.capacity(ctx)
	if err != nil {
		return err
	}
	r.report.add("load", rate/2*float64(r.loadConfig("").Operations), workload.UnitThroughput)
	l := r.steady(ctx, "snapshots of everything under load", rate/2)
	r.report.Timelines = append(r.report.Timelines, l.timeline)
	err = r.snapshotsUnderLoad(ctx, l.timeline)
	if err := errors.Join(err, l.stop(ctx)); err != nil {
		return err
	}
	r.latencies(l.timeline, phasePersisting)
	return r.smallSnapshot(ctx)
}

// snapshotsUnderLoad takes snapshots while a load that touches all pages goes on.
func (r *rig) snapshotsUnderLoad(ctx context.Context, t *Timeline) error {
	leader, err := r.leader(ctx)
	if err != nil {
		return err
	}
	for i := range snapshotsTaken {
		t.begin("before")
		if err := wait.For(ctx, r.scaled(betweenTwo)); err != nil {
			return err
		}
		before, err := anonymous(leader.PID())
		if err != nil {
			return err
		}
		memory := watchMemory(leader.PID())
		t.begin(phasePersisting)
		began := time.Now()
		err = r.snapshotOnce(ctx)
		most := memory.stop()
		if err != nil {
			return err
		}
		took := time.Since(began)
		t.begin(phaseSettling)
		r.tell("a snapshot under load took %v; the leader's memory grew by %d MiB meanwhile", took, (most-before)>>20)
		r.report.add(fmt.Sprintf("persisted_in/%d", i+1), took.Seconds(), unitSeconds)
		r.report.add(fmt.Sprintf("memory_grew/%d", i+1), float64(max(most-before, 0)), unitBytes)
		if err := wait.For(ctx, r.scaled(untilCaughtUp)); err != nil {
			return err
		}
	}
	return nil
}

// smallSnapshot changes accounts that lie next to each other, about one page in a hundred, and weighs the next snapshot.
func (r *rig) smallSnapshot(ctx context.Context) error {
	m := r.cluster.Member(1)
	if err := r.snapshotOnce(ctx); err != nil {
		return err
	}
	before, _ := filesOf(m, "snapshots", ".pack")
	journal := sizeOf(m, "journal", "")
	state := r.Accounts * accountRecord // and ids, which are left out here
	accounts := make([]int, max(r.Accounts/100, 1))
	for i := range accounts {
		accounts[i] = i
	}
	if err := r.credit(ctx, accounts); err != nil {
		return err
	}
	if err := r.snapshotOnce(ctx); err != nil {
		return err
	}
	r.report.add("state", float64(state), unitBytes)
	r.report.add("journal_of_it", float64(sizeOf(m, "journal", "")-journal), unitBytes)
	wrote := 0.0
	after, sizes := filesOf(m, "snapshots", ".pack")
	for i, pack := range after {
		if !slices.Contains(before, pack) {
			wrote += float64(sizes[i])
		}
	}
	r.report.add("pack_after_1_percent", wrote, unitBytes)
	manifest := float64(sizeOf(m, "snapshots", ".manifest"))
	r.report.add("manifest", manifest, unitBytes)
	r.report.atMost("written_after_1_percent", (wrote+manifest)/float64(state), "share", 0.02)
	return nil
}

// cadence of snapshots.
type cadence struct{ least, most uint64 }

// rare: none is due by weight.
var rare = cadence{1 << 39, 1 << 40}

func (r *rig) snapshotsAre(ctx context.Context, c cadence) error {
	return r.set(ctx, &ballastv1.Settings{SnapshotMinLogBytes: &c.least, SnapshotMaxLogBytes: &c.most})
}

// snapshotOnce has one snapshot taken, and none after it until that is asked for, and waits until all members have it.
func (r *rig) snapshotOnce(ctx context.Context) error {
	if err := r.snapshotsAre(ctx, rare); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	asked, err := r.askSnapshot(ctx)
	if err != nil {
		return err
	}
	for _, m := range r.cluster.Members {
		if err := r.hasSnapshot(ctx, m, asked); err != nil {
			return err
		}
	}
	return nil
}

// askSnapshot asks the leader for a snapshot and answers an index that it is not below. The client library would give up a call
// that takes as long as that of a large state does.
func (r *rig) askSnapshot(ctx context.Context) (uint64, error) {
	leader, err := r.leader(ctx)
	if err != nil {
		return 0, err
	}
	index, err := r.committed(ctx)
	if err != nil {
		return 0, err
	}
	_, err = leader.Operator().TakeSnapshot(ctx, &ballastv1.TakeSnapshotRequest{})
	return index, err
}

// hasSnapshot waits until the member has a snapshot of at least index.
func (r *rig) hasSnapshot(ctx context.Context, m *testcluster.Member, index uint64) error {
	return testcluster.Until(ctx, fmt.Sprintf("%s has a snapshot of at least %d", m.Name, index), func(context.Context) error {
		has, _, err := newestSnapshot(m)
		if err == nil && has < index {
			err = fmt.Errorf("its newest is of %d", has)
		}
		return err
	})
}
