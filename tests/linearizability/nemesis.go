package linearizability

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ballastdb/ballast/internal/testcluster"
	"github.com/ballastdb/ballast/internal/wait"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	"github.com/ballastdb/ballast/tests/linearizability/history"
	"github.com/ballastdb/ballast/tests/linearizability/network"
)

// nemesis does the steps of a schedule to a cluster, one after the other. One goroutine owns it and the cluster.
type nemesis struct {
	cluster *testcluster.Cluster
	network *network.Network
	digests *history.Digests
	log     func(format string, args ...any)

	killed, terminated map[*testcluster.Member]bool // in this step
}

// run goes through the steps and heals everything after the last one.
func (n *nemesis) run(ctx context.Context, steps []Step) error {
	for _, s := range steps {
		if err := n.pass(ctx, s.Peace); err != nil {
			return errors.Join(err, n.heal())
		}
		if err := n.step(ctx, s); err != nil {
			return errors.Join(err, n.heal())
		}
	}
	return n.heal()
}

// pass lets time pass and collects digests.
func (n *nemesis) pass(ctx context.Context, d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		n.collect(ctx)
		if err := wait.For(ctx, min(500*time.Millisecond, time.Until(end))); err != nil {
			return err
		}
	}
	return nil
}

func (n *nemesis) collect(ctx context.Context) []*ballastv1.StatusResponse {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	statuses := n.cluster.Statuses(ctx)
	for _, s := range statuses {
		n.digests.Add(s.GetName(), s.GetCheckpoints())
	}
	return statuses
}

// step does the step's faults, waits, and undoes them all.
func (n *nemesis) step(ctx context.Context, s Step) error {
	statuses := n.collect(ctx)
	var names []string
	var hit []*testcluster.Member
	for _, f := range s.Faults {
		m := n.choose(statuses, f.Target)
		hit = append(hit, m)
		names = append(names, m.Name)
	}
	n.log("%s: %s", names, s)
	for i, f := range s.Faults {
		if err := n.begin(ctx, f, hit[i]); err != nil {
			return fmt.Errorf("%s of %s: %w", f.Fault, hit[i].Name, err)
		}
	}
	if err := n.hold(ctx, s, hit); err != nil {
		return err
	}
	return n.heal()
}

// hold waits for the step's time; faults that kill in mid-step do so after a third of it.
func (n *nemesis) hold(ctx context.Context, s Step, hit []*testcluster.Member) error {
	if err := wait.For(ctx, s.Lasts/3); err != nil {
		return err
	}
	for i, f := range s.Faults {
		if f.Fault == HoldThenKill || f.Fault == IsolateAndKill {
			if err := n.kill(hit[i]); err != nil {
				return err
			}
		}
	}
	return wait.For(ctx, s.Lasts-s.Lasts/3)
}

// choose finds the member that the target means at this moment. Without a leader, the first member stands for it.
func (n *nemesis) choose(statuses []*ballastv1.StatusResponse, target Target) *testcluster.Member {
	leader, term := 0, uint64(0)
	for i, s := range statuses {
		if s.GetRaftState() == ballastv1.RaftState_RAFT_STATE_LEADER && s.GetTerm() > term {
			leader, term = i, s.GetTerm()
		}
	}
	return n.cluster.Members[(leader+int(target))%len(n.cluster.Members)]
}

func (n *nemesis) begin(ctx context.Context, f TargetedFault, m *testcluster.Member) error {
	switch f.Fault {
	case Kill:
		return n.kill(m)
	case KillAll:
		return n.kill(n.cluster.Members...)
	case Pause:
		return m.Pause()
	case Restart:
		n.terminated[m] = true
		return m.Terminate()
	case Transfer:
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		_, err := m.Operator().TransferLeadership(ctx, &ballastv1.TransferLeadershipRequest{})
		if err != nil { // not the leader any more, or busy: nothing was promised
			n.log("transfer: %v", err)
		}
		return nil
	case Isolate, IsolateAndKill:
		return n.cluster.Isolate(m)
	case CutFrom, CutTo:
		var errs []error
		for _, other := range n.cluster.Members {
			if other == m {
				continue
			}
			if f.Fault == CutFrom {
				errs = append(errs, n.cluster.Cut(m, other))
			} else {
				errs = append(errs, n.cluster.Cut(other, m))
			}
		}
		return errors.Join(errs...)
	case HoldRequests:
		n.network.Cut(m.Number-1, true, false)
	case HoldAnswers, HoldThenKill:
		n.network.Cut(m.Number-1, false, true)
	case StallLog:
		now := m.Faults()
		now.LogStall = f.Stall
		return m.SetFaults(now)
	case JumpClock:
		now := m.Faults()
		now.ClockOffset = f.Clock
		return m.SetFaults(now)
	}
	return nil
}

func (n *nemesis) kill(members ...*testcluster.Member) error {
	var errs []error
	for _, m := range members {
		n.killed[m] = true
		errs = append(errs, m.Kill())
	}
	return errors.Join(errs...)
}

// heal undoes every fault: connections, clocks, disks, processes.
func (n *nemesis) heal() error {
	n.network.Heal()
	errs := []error{n.cluster.Heal()}
	for _, m := range n.cluster.Members {
		errs = append(errs, m.Resume(), n.startAgain(m))
	}
	n.killed, n.terminated = map[*testcluster.Member]bool{}, map[*testcluster.Member]bool{}
	return errors.Join(errs...)
}

// startAgain starts a member that was killed, or asked to stop: that one gets the time that an ordered stop may take,
// and must end well. A member that ended by itself is a finding: no fault here is a reason to.
func (n *nemesis) startAgain(m *testcluster.Member) error {
	switch {
	case n.terminated[m] && !n.killed[m]:
		ctx, cancel := context.WithTimeout(context.Background(), orderedStop)
		defer cancel()
		code, err := m.Wait(ctx)
		if err != nil {
			return err
		}
		if code != 0 {
			return fmt.Errorf("%s was asked to stop and ended with exit code %d; its log is %s", m.Name, code, m.LogPath())
		}
	case !n.killed[m] && !m.Running():
		return fmt.Errorf("%s ended by itself; its log is %s", m.Name, m.LogPath())
	}
	return m.Start()
}

// orderedStop is how long a member may take to stop in order.
const orderedStop = 30 * time.Second
