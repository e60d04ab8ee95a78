package compare

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ballastdb/ballast/internal/devcluster"
	"github.com/ballastdb/ballast/internal/workload"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Ballast is a cluster of three ballastd processes. It is a System and an Observer.
type Ballast struct {
	// Program is the path of ballastd.
	Program string
	// Port from which on its ports lie, see ballast dev.
	Port int
	// Small: it has a tenth of the accounts, and is asked as ballast-small.
	Small bool

	cluster *devcluster.Cluster
	unary   *workload.UnaryTarget
	env     Env
	leader  string
	http    *http.Client
}

// Name is ballast or ballast-small.
func (b *Ballast) Name() string {
	if b.Small {
		return OursSmall
	}
	return Ours
}

// Start starts the members and waits for a leader.
func (b *Ballast) Start(ctx context.Context, env Env) (err error) {
	b.env = env
	b.http = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableCompression: true}}
	b.cluster, err = devcluster.Start(ctx, devcluster.Config{
		Dir: env.Dir, Program: b.Program, Shape: devcluster.Shape{Port: b.Port, Nodes: 3}, LogStore: env.LogStore, Tell: env.Tell,
	})
	if err != nil {
		return err
	}
	for _, m := range b.cluster.Members() {
		if m.Name == b.cluster.Leader() {
			b.unary, err = workload.NewUnaryTarget(m.ClientAddress)
		}
	}
	b.leader = b.cluster.Leader()
	return err
}

// Settings are those that are not the default.
func (b *Ballast) Settings() []string {
	return []string{
		"three members, log_store " + b.env.LogStore + ", everything else as by default: every write fsynced by each member, acknowledged once two have it",
		"operation ids remembered, journal and snapshots on",
	}
}

// Prepare makes accounts whose floor is far below zero.
func (b *Ballast) Prepare(ctx context.Context, accounts int) error {
	if b.Small {
		accounts = max(accounts/smallShare, 1)
	}
	return workload.Prepare(ctx, b.cluster.Client(), accounts)
}

// Verify wants three members, all voters, and the leader that was there at the start, which plain unary calls go to.
func (b *Ballast) Verify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	leader, voters := "", 0
	for _, answer := range b.cluster.Client().Operator().StatusOfAll(ctx) {
		if answer.Err != nil {
			return answer.Err
		}
		if answer.Status.GetRaftState() == ballastv1.RaftState_RAFT_STATE_LEADER {
			leader = answer.Status.GetName()
			voters = 0
			for _, m := range answer.Status.GetMembers() {
				if m.GetRole() == ballastv1.Role_ROLE_VOTER {
					voters++
				}
			}
		}
	}
	if leader != b.leader || voters != 3 {
		return fmt.Errorf("%d voters led by %q, expected 3 led by %q as at the start", voters, leader, b.leader)
	}
	return nil
}

// PIDs are those of the members.
func (b *Ballast) PIDs() []int {
	if b.cluster == nil {
		return nil
	}
	return b.cluster.PIDs()
}

// Targets are the client library and plain unary gRPC.
func (b *Ballast) Targets() []Target {
	promise := "idempotent by operation id; on the disks of two of three"
	if b.cluster == nil { // only asked for the names
		if b.Small {
			return []Target{{Name: OursSmall, Share: smallShare}}
		}
		return []Target{{Name: Ours}, {Name: OursUnary}}
	}
	library := workload.NewClientTarget(b.cluster.Client())
	if b.Small {
		return []Target{{Name: OursSmall, Promise: promise, Target: library, Share: smallShare}}
	}
	return []Target{
		{Name: Ours, Promise: promise + "; client library", Target: library},
		{Name: OursUnary, Promise: promise + "; a unary gRPC call each", Target: b.unary},
	}
}

// Stop stops the members.
func (b *Ballast) Stop() error {
	var err error
	if b.unary != nil {
		err = b.unary.Close()
	}
	if b.cluster != nil {
		b.cluster.Stop()
	}
	if b.http != nil {
		b.http.CloseIdleConnections()
	}
	return err
}

// Observe reads the members' metrics.
func (b *Ballast) Observe(ctx context.Context) (Observation, error) {
	o := Observation{Counters: map[string]float64{}, Levels: map[string]float64{}}
	var errs []error
	for _, m := range b.cluster.Members() {
		metrics, err := scrape(ctx, b.http, "http://"+m.OperatorAddress+"/metrics")
		if err != nil {
			errs = append(errs, fmt.Errorf("metrics of %s: %w", m.Name, err))
			continue
		}
		o.Counters[ServerBytes] += metrics.value("go_memstats_alloc_bytes_total")
		o.Counters[ServerCount] += metrics.value("go_memstats_mallocs_total")
		o.Counters[GCShare] += metrics.value("go_cpu_classes_gc_total_cpu_seconds_total")
		o.Counters[LogEntries] = max(o.Counters[LogEntries], metrics.value("ballast_raft_last_index"))
		o.Levels[QueueBytes] = max(o.Levels[QueueBytes], metrics.value("ballast_queue_bytes"))
		o.Levels[GCPause] = max(o.Levels[GCPause], 1000*metrics[`go_gc_duration_seconds{quantile="1"}`])
	}
	return o, errors.Join(errs...)
}
