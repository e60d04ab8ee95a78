package catchup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ballastdb/ballast/internal/testcluster"
	"github.com/ballastdb/ballast/internal/wait"
)

// How long the parts of a storm are.
const (
	stormBefore = 20 * time.Second
	stormAway   = 15 * time.Second // at least
	stormAfter  = 15 * time.Second
	stormBack   = 4 * time.Minute // at most, for each 4,000,000 accounts
)

// memoryAllowance is how much more memory a leader may take than without anybody coming back.
const memoryAllowance = 64 << 20

// storm: leader and one voter stay; one voter and three non-voters are cut off and let back at once.
func storm(ctx context.Context, r *rig) error {
	return r.storms(ctx, stormPlan{shape: shape{voters: 3, nonVoters: 3}})
}

// stormEmpty: four members with empty disks are added at once. The capacity is that of a cluster that has them: all share this
// machine's processors, so that what two members can do alone is more than six will ever do.
func stormEmpty(ctx context.Context, r *rig) error {
	return r.storms(ctx, stormPlan{shape: shape{voters: 2, nonVoters: 4}, fresh: true})
}

// stormPlan is one storm.
type stormPlan struct {
	shape shape
	// fresh members join rather than come back.
	fresh bool
}

// stormOutcome is what one run of a plan came to.
type stormOutcome struct {
	timeline *Timeline
	rate     float64
	away     time.Duration // how long they were away
	back     time.Duration // how long they took to catch up
	memory   int64         // most of the leader's, while they did
	carried  map[string]carried
}

// storms runs the plan, then a control run in which nobody comes back, and compares.
func (r *rig) storms(ctx context.Context, plan stormPlan) error {
	real, err := r.oneStorm(ctx, plan, nil)
	if real.timeline != nil {
		r.report.Timelines = append(r.report.Timelines, real.timeline)
	}
	if err != nil {
		return err
	}
	control, err := r.oneStorm(ctx, plan, &real)
	if err != nil {
		return fmt.Errorf("control run: %w", err)
	}
	r.report.Timelines = append(r.report.Timelines, control.timeline)
	r.report.add("rate", real.rate*float64(r.loadConfig("").Operations), "ops/s")
	r.report.add("caught_up", real.back.Seconds(), unitSeconds)
	r.latencies(real.timeline, "back")
	controlled := control.timeline.of("back")
	r.report.add("control/p99", milliseconds(controlled.p99), "ms")
	r.report.add("control/max", milliseconds(controlled.longest), "ms")
	r.report.add("leader_memory", float64(real.memory), unitBytes)
	r.report.add("control/leader_memory", float64(control.memory), unitBytes)
	r.report.atMost("leader_memory_more", float64(real.memory-control.memory), unitBytes, memoryAllowance)
	r.reportCarried(real.carried)
	r.report.holds("same_digest", true) // else the run ended with an error
	return nil
}

func (r *rig) reportCarried(all map[string]carried) {
	var sum carried
	for name, c := range all {
		r.report.note("to %s: %v", name, c)
		sum.pagesLeader += c.pagesLeader
		sum.pagesOthers += c.pagesOthers
		sum.install += c.install
		sum.manifests += c.manifests
		sum.journal += c.journal
	}
	r.report.add("pages_from_leader", float64(sum.pagesLeader), unitBytes)
	r.report.add("pages_from_others", float64(sum.pagesOthers), unitBytes)
	r.report.add("manifests", float64(sum.install+sum.manifests), unitBytes)
	r.report.add("journal", float64(sum.journal), unitBytes)
	r.report.holds("beyond_the_log", sum.pages()+sum.install > 0)
}

// oneStorm runs the plan. After another run it is the control: the same load for as long, and nobody comes back.
func (r *rig) oneStorm(ctx context.Context, plan stormPlan, like *stormOutcome) (out stormOutcome, err error) {
	if err := r.form(ctx, plan.shape); err != nil {
		return out, err
	}
	if err := r.littleLog(ctx); err != nil {
		return out, err
	}
	// Measured in both, so that both have the same past.
	if out.rate, err = r.capacity(ctx); err != nil {
		return out, err
	}
	out.rate /= 2
	title := "storm"
	if like != nil {
		out.rate, title = like.rate, "control"
	}
	leader, err := r.leader(ctx)
	if err != nil {
		return out, err
	}
	stays := []*testcluster.Member{leader, r.voterBut(leader, plan.shape)}
	comers := r.others(stays...)

	if plan.fresh {
		if err := r.dismiss(ctx, comers...); err != nil {
			return out, err
		}
	}

	l := r.steady(ctx, title, out.rate)
	out.timeline = l.timeline
	err = r.phases(ctx, plan, l.timeline, leader, comers, like, &out)
	if err := errors.Join(err, l.stop(ctx)); err != nil {
		return out, err
	}
	if like != nil {
		return out, nil
	}
	took, err := r.equal(ctx, 2*time.Minute)
	r.tell("all are equal %v after the end of the load", took)
	return out, err
}

// dismiss removes members from the cluster and starts them on empty disks.
func (r *rig) dismiss(ctx context.Context, members ...*testcluster.Member) error {
	for _, m := range members {
		if _, err := r.client.Operator().RemoveMember(ctx, m.Name, true); err != nil {
			return err
		}
		if err := errors.Join(m.Kill(), m.Wipe(ctx), m.Start()); err != nil {
			return err
		}
	}
	return nil
}

// voterBut is a voter other than the one given.
func (r *rig) voterBut(m *testcluster.Member, s shape) *testcluster.Member {
	for _, other := range r.cluster.Members[:s.voters] {
		if other != m {
			return other
		}
	}
	return nil
}

// phases are those of a storm, under load: before, away, back, after.
func (r *rig) phases(
	ctx context.Context, plan stormPlan, t *Timeline, leader *testcluster.Member, comers []*testcluster.Member, like, out *stormOutcome,
) error {
	t.begin("before")
	if err := wait.For(ctx, r.scaled(stormBefore)); err != nil {
		return err
	}
	if !plan.fresh {
		began := time.Now()
		if err := r.cut(comers...); err != nil {
			return err
		}
		t.begin("away")
		if err := r.leaveBehind(ctx, comers, began, like); err != nil {
			return err
		}
		out.away = time.Since(began)
	}
	if plan.fresh {
		if _, err := r.askSnapshot(ctx); err != nil {
			return err
		}
	}
	before, err := r.carriedToEach(comers, leader)
	if err != nil {
		return err
	}
	t.begin("back")
	memory := watchMemory(leader.PID())
	if like == nil {
		out.back, err = r.letBack(ctx, plan, comers)
	} else {
		err = wait.For(ctx, like.back)
	}
	out.memory = memory.stop()
	if err != nil {
		return err
	}
	r.tell("leader's memory at most %d MiB", out.memory>>20)
	if out.carried, err = r.carriedToEach(comers, leader); err != nil {
		return err
	}
	for name, c := range out.carried {
		out.carried[name] = c.minus(before[name])
		if like == nil {
			r.tell("to %s: %v", name, out.carried[name])
		}
	}
	t.begin("after")
	return wait.For(ctx, r.scaled(stormAfter))
}

// leaveBehind has a snapshot taken that those who are away are beyond the log for, and in a control run waits for as long
// as that took in the other.
func (r *rig) leaveBehind(ctx context.Context, away []*testcluster.Member, began time.Time, like *stormOutcome) error {
	if err := wait.For(ctx, r.scaled(stormAway)); err != nil {
		return err
	}
	index, err := r.askSnapshot(ctx)
	if err != nil {
		return err
	}
	if like == nil {
		return r.beyondLog(ctx, index, away...)
	}
	return wait.For(ctx, max(like.away-time.Since(began), 0))
}

func (r *rig) carriedToEach(members []*testcluster.Member, leader *testcluster.Member) (map[string]carried, error) {
	all := map[string]carried{}
	for _, m := range members {
		c, err := r.carriedTo(m, leader)
		if err != nil {
			return nil, err
		}
		all[m.Name] = c
	}
	return all, nil
}

// letBack lets the comers back, or in, all at once, and waits until each has what was committed then.
func (r *rig) letBack(ctx context.Context, plan stormPlan, comers []*testcluster.Member) (time.Duration, error) {
	began := time.Now()
	if plan.fresh {
		for _, m := range comers {
			if err := r.cluster.Join(ctx, m, false); err != nil {
				return 0, err
			}
		}
	} else if err := r.heal(); err != nil {
		return 0, err
	}
	r.tell("%d members are let back at once", len(comers))
	_, err := r.applied(ctx, stormBack*time.Duration(1+r.Accounts/4_000_000), comers...)
	took := time.Since(began)
	r.tell("all had caught up after %v", took)
	return took, err
}
