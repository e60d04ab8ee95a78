package catchup

import (
	"context"
	"time"

	"github.com/ballastdb/ballast/internal/wait"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// retention cuts a voter off for less than the log is kept and lets it back.
func retention(ctx context.Context, r *rig) error {
	if err := r.form(ctx, shape{voters: 3}); err != nil {
		return err
	}
	leader, err := r.leader(ctx)
	if err != nil {
		return err
	}
	// Snapshots are taken meanwhile, so that only the retention keeps the log.
	least, most := uint64(1<<20), uint64(16<<20)
	if err := r.set(ctx, &ballastv1.Settings{SnapshotMinLogBytes: &least, SnapshotMaxLogBytes: &most}); err != nil {
		return err
	}
	rate, err := r.capacity(ctx)
	if err != nil {
		return err
	}
	away := r.others(leader)[0]
	before, err := r.carriedTo(away, leader)
	if err != nil {
		return err
	}
	l := r.steady(ctx, "away for less than the retention", rate/2)
	r.report.Timelines = append(r.report.Timelines, l.timeline)
	l.timeline.begin("before")
	if err := wait.For(ctx, r.scaled(10*time.Second)); err != nil {
		return err
	}
	if err := r.cut(away); err != nil {
		return err
	}
	l.timeline.begin("away")
	if err := wait.For(ctx, r.scaled(30*time.Second)); err != nil {
		return err
	}
	if err := r.heal(); err != nil {
		return err
	}
	l.timeline.begin("back")
	took, err := r.applied(ctx, 2*time.Minute, away)
	if err != nil {
		return err
	}
	r.tell("%s had caught up after %v", away.Name, took)
	if err := wait.For(ctx, r.scaled(5*time.Second)); err != nil {
		return err
	}
	if err := l.stop(ctx); err != nil {
		return err
	}
	if _, err := r.equal(ctx, time.Minute); err != nil {
		return err
	}
	after, err := r.carriedTo(away, leader)
	if err != nil {
		return err
	}
	c := after.minus(before)
	r.tell("%v", c)
	r.report.atMost("snapshot_bytes", float64(c.pages()+c.manifests+c.install), unitBytes, 0)
	r.report.add("append_bytes", float64(c.appended), unitBytes)
	r.report.add("caught_up", took.Seconds(), unitSeconds)
	r.latencies(l.timeline, "back")
	return nil
}

// latencies adds rows of a timeline: no failed calls, and p99 in a phase against before.
func (r *rig) latencies(t *Timeline, name string) {
	before, during := t.of("before"), t.of(name)
	r.report.atMost("failed_calls", float64(t.failed()), unitCount, 0)
	r.report.add("before/p50", milliseconds(before.p50), "ms")
	r.report.add("before/p99", milliseconds(before.p99), "ms")
	r.report.add(name+"/p50", milliseconds(during.p50), "ms")
	r.report.atMost(name+"/p99", milliseconds(during.p99), "ms", 2*milliseconds(before.p99))
	r.report.add(name+"/max", milliseconds(during.longest), "ms")
}
