package catchup

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/ballastdb/ballast/internal/testcluster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// snapshotsTaken is how many snapshots are taken under load.
const snapshotsTaken = 3

// snapshot measures writers while a snapshot of everything is persisted, and what one writes when little has changed.
func snapshot(ctx context.Context, r *rig) error {
	if err := r.pause(ctx); err != nil {
		return err
	}
	debug.FreeOSMemory() // what the state machine of this process took
	if err := r.form(ctx, shape{voters: 1}); err != nil {
		return err
	}
	if err := r.snapshotOnce(ctx, r.cluster.Member(1)); err != nil {
		return err
	}
	rate, err := r.capacity(ctx)
	if err != nil {
		return err
	}
	l := r.steady(ctx, "snapshots of everything under load", rate/2)
	r.report.Timelines = append(r.report.Timelines, l.timeline)
	err = r.snapshotsUnderLoad(ctx, l.timeline)
	if err := errors.Join(err, l.stop(ctx)); err != nil {
		return err
	}
	r.latencies(l.timeline, "persisting")
	return r.smallSnapshot(ctx)
}

// snapshotsUnderLoad takes snapshots while a load that touches all pages goes on.
func (r *rig) snapshotsUnderLoad(ctx context.Context, t *Timeline) error {
	t.begin("before")
	if err := sleep(ctx, r.scaled(20*time.Second)); err != nil {
		return err
	}
	m := r.cluster.Member(1)
	for i := range snapshotsTaken {
		before, err := written(m.PID())
		if err != nil {
			return err
		}
		t.begin("persisting")
		began := time.Now()
		if err := r.snapshotOnce(ctx, m); err != nil {
			return err
		}
		after, err := written(m.PID())
		if err != nil {
			return err
		}
		r.tell("a snapshot under load took %v; %d MiB were written meanwhile", time.Since(began), (after-before)>>20)
		r.report.add(fmt.Sprintf("persisted_in/%d", i+1), time.Since(began).Seconds(), unitSeconds)
		t.begin("between")
		if err := sleep(ctx, r.scaled(5*time.Second)); err != nil {
			return err
		}
	}
	return nil
}

// smallSnapshot changes accounts that lie next to each other, about one page in a hundred, and weighs the next snapshot.
func (r *rig) smallSnapshot(ctx context.Context) error {
	m := r.cluster.Member(1)
	if err := r.snapshotOnce(ctx, m); err != nil {
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
	if err := r.snapshotOnce(ctx, m); err != nil {
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

// snapshotOnce has one snapshot taken, and none after it until that is asked for, and waits for it.
func (r *rig) snapshotOnce(ctx context.Context, m *testcluster.Member) error {
	if err := r.snapshotsAre(ctx, rare); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	asked, err := r.askSnapshot(ctx)
	if err != nil {
		return err
	}
	return r.hasSnapshot(ctx, m, asked)
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
