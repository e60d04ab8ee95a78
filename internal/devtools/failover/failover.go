package failover

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
	"github.com/ballastdb/ballast/internal/wait"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const (
	// restartAfter is how long a killed member stays down: RestartSec of deploy/ballastd.service.
	restartAfter = 2 * time.Second
	// rest is how long the cluster has been whole before each change.
	rest = time.Second
	// window is the time around a hand-over in which writes are its own: from just before it until it is long over.
	window = 2 * time.Second
	// patience bounds every wait for something that will happen.
	patience = time.Minute
)

// Options of a measurement.
type Options struct {
	// Dir holds the cluster. Nothing is removed.
	Dir string
	// Kills of a leader, and Transfers of leadership.
	Kills, Transfers int
	// Config are more keys of the members' configuration.
	Config map[string]string
	// Tell is told how far it is, a line at a time; nil: nobody is.
	Tell func(string)
}

// rig is a measurement under way.
type rig struct {
	Options
	cluster *testcluster.Cluster
	client  *client.Client
	probe   *probe
	began   time.Time
}

func (r *rig) tell(format string, args ...any) {
	if r.Tell != nil {
		r.Tell(fmt.Sprintf("%6.1fs  ", time.Since(r.began).Seconds()) + fmt.Sprintf(format, args...))
	}
}

// Run measures. A measurement that failed half-way reports what it has.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	r := &rig{Options: o, began: time.Now()}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.form(ctx); err != nil {
		return nil, err
	}
	report = &Report{}
	for i := range o.Kills {
		took, err := r.kill(ctx)
		if err != nil {
			return report, fmt.Errorf("kill %d: %w", i+1, err)
		}
		report.Kills = append(report.Kills, took)
		r.tell("kill %d of %d: writes again after %d ms", i+1, o.Kills, took.Milliseconds())
	}
	for i := range o.Transfers {
		h, err := r.transfer(ctx)
		if err != nil {
			return report, fmt.Errorf("transfer %d: %w", i+1, err)
		}
		report.Handovers = append(report.Handovers, h)
		r.tell("transfer %d of %d: took %d ms; slowest write %d ms, before %d ms", i+1, o.Transfers, h.Took.Milliseconds(),
			h.Slowest.Milliseconds(), h.Before.Milliseconds())
	}
	return report, r.settle(ctx, report)
}

func (r *rig) form(ctx context.Context) (err error) {
	config := map[string]string{"log_level": "info"}
	for key, value := range r.Config {
		config[key] = value
	}
	r.cluster, err = testcluster.New(ctx, testcluster.Options{Dir: filepath.Join(r.Dir, "cluster"), Config: config})
	if err != nil {
		return err
	}
	if err := r.cluster.StartAll(); err != nil {
		return err
	}
	if err := r.cluster.Form(ctx); err != nil {
		return err
	}
	if r.client, err = client.New(r.cluster.Endpoints()); err != nil {
		return err
	}
	r.probe, err = startProbe(ctx, r.client)
	return err
}

func (r *rig) close() error {
	var errs []error
	if r.probe != nil {
		r.probe.close()
	}
	if r.client != nil {
		errs = append(errs, r.client.Close())
	}
	if r.cluster != nil {
		errs = append(errs, r.cluster.Close())
	}
	return errors.Join(errs...)
}

// whole waits until all members follow one leader and have kept up with it for a while.
func (r *rig) whole(ctx context.Context) (leader *testcluster.Member, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var since time.Time
	err = testcluster.Until(ctx, "the cluster is whole", func(ctx context.Context) error {
		now, err := r.cluster.WaitLeader(ctx)
		if err != nil {
			return err
		}
		if now != leader {
			leader, since = now, time.Now()
		}
		for i, s := range r.cluster.Statuses(ctx) {
			if s == nil || s.GetLeader() != leader.Name || s.GetPhase() != ballastv1.Phase_PHASE_SERVING {
				since = time.Now()
				return fmt.Errorf("%s is %s", r.cluster.Members[i].Name, s.GetState())
			}
		}
		if kept := time.Since(since); kept < rest {
			return fmt.Errorf("it has been for %v", kept)
		}
		return nil
	})
	return leader, err
}

// kill kills the leader, and answers how long no write was acknowledged.
func (r *rig) kill(ctx context.Context) (time.Duration, error) {
	leader, err := r.whole(ctx)
	if err != nil {
		return 0, err
	}
	signalled := time.Now()
	if err := leader.Kill(); err != nil {
		return 0, err
	}
	gone := time.Now()
	again := make(chan error, 1)
	restart := time.AfterFunc(restartAfter, func() { again <- leader.Start() })
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	acknowledged, err := r.probe.firstAfter(ctx, gone)
	if restart.Stop() { // nobody uses the member but one at a time
		time.Sleep(time.Until(signalled.Add(restartAfter)))
		return acknowledged.Sub(signalled), errors.Join(err, leader.Start())
	}
	return acknowledged.Sub(signalled), errors.Join(err, <-again)
}

// Handover is one transfer of leadership.
type Handover struct {
	// Took is how long the transfer took, Slowest the slowest write around it, Before the slowest of as long a time before.
	Took, Slowest, Before time.Duration
}

// transfer hands leadership over and answers what writes noticed.
func (r *rig) transfer(ctx context.Context) (h Handover, err error) {
	if _, err := r.whole(ctx); err != nil {
		return h, err
	}
	quiet := time.Now()
	if err := wait.For(ctx, window); err != nil {
		return h, err
	}
	begin := time.Now()
	if _, err := r.client.Operator().TransferLeadership(ctx, ""); err != nil {
		return h, err
	}
	h.Took = time.Since(begin)
	if err := wait.For(ctx, time.Until(begin.Add(window))); err != nil {
		return h, err
	}
	end := time.Now()
	if _, err := r.probe.firstAfter(ctx, end); err != nil { // those before it have ended, or are slower than all others
		return h, err
	}
	h.Before, h.Slowest = r.probe.slowest(quiet, begin), r.probe.slowest(begin, end)
	return h, nil
}

// settle ends the writes and compares the balances with what was acknowledged.
func (r *rig) settle(ctx context.Context, report *Report) (err error) {
	if _, err := r.whole(ctx); err != nil {
		return err
	}
	r.probe.close()
	var last error
	report.Done, report.Failed, last = r.probe.outcome()
	report.Skipped = r.probe.skipped
	if last != nil {
		r.tell("%d writes failed, one with: %v", report.Failed, last)
	}
	if report.Balance, err = r.probe.balance(ctx); err != nil {
		return err
	}
	return r.cluster.WaitEqual(ctx)
}
