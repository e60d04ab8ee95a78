package catchup

import (
	"context"
	"fmt"
	"time"

	"github.com/ballastdb/ballast/internal/faults"
	"github.com/ballastdb/ballast/internal/testcluster"
	"github.com/ballastdb/ballast/internal/wait"
	"github.com/ballastdb/ballast/internal/workload"
)

const (
	// borneStall is the stall of a log's disk that must not cost an election.
	borneStall = 300 * time.Millisecond
	// stallEvery is the time from the end of a stall to the next.
	stallEvery = 1500 * time.Millisecond
	// stallRepeats of each longer stall until it counts as borne.
	stallRepeats = 4
)

// longerStalls are tried until one costs an election.
func longerStalls() []time.Duration {
	var all []time.Duration
	for d := 400; d <= 3000; d += 200 {
		all = append(all, time.Duration(d)*time.Millisecond)
	}
	return append(all, 5*time.Second, 9*time.Second) // at 10 s the process ends: log_write_limit
}

// stall stalls the log's disk of the leader, then of a follower, at full load.
func stall(ctx context.Context, r *rig) error {
	if err := r.form(ctx, shape{voters: 3}); err != nil {
		return err
	}
	for _, role := range []string{"leader", "follower"} {
		l := r.steady(ctx, "stalls of the "+role+"'s log disk, full load", 0)
		r.report.Timelines = append(r.report.Timelines, l.timeline)
		l.timeline.begin("before")
		err := wait.For(ctx, r.scaled(5*time.Second))
		if err == nil {
			err = r.stalls(ctx, role, l.timeline)
		}
		if stopped := l.stop(ctx); err == nil {
			err = stopped
		}
		if err != nil {
			return err
		}
		r.report.atMost(role+"/failed_calls", float64(l.timeline.failed()), unitCount, 0)
	}
	return nil
}

// stalls of one member's disk: single ones of borneStall, then a disk that takes that long for every write, then longer
// single ones until there is an election.
func (r *rig) stalls(ctx context.Context, role string, t *Timeline) error {
	t.begin("300 ms stalls")
	borne := max(int(r.scaled(20*time.Second)/(borneStall+stallEvery)), 1)
	elections, err := r.stallTimes(ctx, role, borneStall, borne)
	if err != nil {
		return err
	}
	r.tell("%d stalls of %v of the %s's log disk: %d elections", borne, borneStall, role, elections)
	r.report.atMost(fmt.Sprintf("%s/elections_in_%d_stalls_of_300ms", role, borne), float64(elections), unitCount, 0)

	t.begin("slow disk")
	slow := r.scaled(10 * time.Second)
	elections, err = r.electionsDuring(ctx, func(*testcluster.Member) error { return wait.For(ctx, slow) }, role, borneStall)
	if err != nil {
		return err
	}
	r.tell("%v with each write taking %v longer: %d elections", slow, borneStall, elections)
	r.report.add(role+"/elections_while_each_write_takes_300ms", float64(elections), unitCount)

	t.begin("longer stalls")
	for _, d := range longerStalls() {
		elections, err := r.stallTimes(ctx, role, d, stallRepeats)
		if err != nil {
			return err
		}
		if elections > 0 || r.Smoke {
			r.tell("a stall of %v of the %s's log disk costs an election", d, role)
			r.report.add(role+"/stall_that_costs_an_election", milliseconds(d), workload.UnitLatency)
			return nil
		}
	}
	r.report.note("no stall of the %s's log disk up to %v cost an election", role, longerStalls()[len(longerStalls())-1])
	return nil
}

// stallTimes stalls the disk n times for d and answers how many elections there were.
func (r *rig) stallTimes(ctx context.Context, role string, d time.Duration, n int) (elections int, err error) {
	for range n {
		more, err := r.electionsDuring(ctx, func(*testcluster.Member) error { return wait.For(ctx, d) }, role, d)
		if err != nil {
			return 0, err
		}
		elections += more
		if err := wait.For(ctx, stallEvery); err != nil {
			return 0, err
		}
	}
	return elections, nil
}

// electionsDuring has each log write of the member that leads, or of one that follows, wait while f runs, at most for d,
// and answers how many terms began until there was a leader again.
func (r *rig) electionsDuring(ctx context.Context, f func(*testcluster.Member) error, role string, d time.Duration) (int, error) {
	m, err := r.leader(ctx)
	if err != nil {
		return 0, err
	}
	before, err := m.Status(ctx)
	if err != nil {
		return 0, err
	}
	if role == "follower" {
		m = r.others(m)[0]
	}
	if err := m.SetFaults(faults.Faults{LogStall: d}); err != nil {
		return 0, err
	}
	if err := f(m); err != nil {
		return 0, err
	}
	if err := m.SetFaults(faults.Faults{}); err != nil {
		return 0, err
	}
	// An election that the stall has caused has begun by the time that a majority follows one leader again.
	if err := wait.For(ctx, 500*time.Millisecond); err != nil {
		return 0, err
	}
	leader, err := r.leader(ctx)
	if err != nil {
		return 0, err
	}
	after, err := leader.Status(ctx)
	if err != nil {
		return 0, err
	}
	return int(after.Term - before.Term), nil
}
