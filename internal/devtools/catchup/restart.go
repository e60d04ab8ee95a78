package catchup

import (
	"context"
	"time"

	"github.com/ballastdb/ballast/internal/procstat"
	"github.com/ballastdb/ballast/internal/testcluster"
	"github.com/ballastdb/ballast/internal/wait"
	"github.com/ballastdb/ballast/internal/workload"
)

// bytesPerAccount is the bar of resident memory.
const bytesPerAccount = 256

// restart stops a member with many accounts in order and starts it again.
func restart(ctx context.Context, r *rig) error {
	if err := r.form(ctx, shape{voters: 1}); err != nil {
		return err
	}
	m := r.cluster.Member(1)
	full, err := procstat.Field(m.PID(), "status", "VmRSS")
	if err != nil {
		return err
	}
	r.report.add("memory_before", float64(full), unitBytes)
	if err := r.snapshotOnce(ctx); err != nil {
		return err
	}
	if err := m.Stop(ctx); err != nil {
		return err
	}
	r.report.add("packs", float64(sizeOf(m, "snapshots", ".pack")), unitBytes)
	r.report.add("log", float64(sizeOf(m, "raft", "")), unitBytes)
	r.report.add("journal", float64(sizeOf(m, "journal", "")), unitBytes)

	began := time.Now()
	if err := m.Start(); err != nil {
		return err
	}
	err = testcluster.Until(ctx, "an account is read", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := r.client.Account(ctx, workload.AccountID(r.Accounts-1))
		return err
	})
	if err != nil {
		return err
	}
	r.report.add("serving", time.Since(began).Seconds(), unitSeconds)
	if err := r.memoryRows(m, "at_once"); err != nil {
		return err
	}
	if err := wait.For(ctx, r.scaled(20*time.Second)); err != nil {
		return err
	}
	if err := r.memoryRows(m, "settled"); err != nil {
		return err
	}
	// And with writes again, which leave garbage.
	rate, err := r.capacity(ctx)
	if err != nil {
		return err
	}
	r.report.add("capacity", rate*float64(r.loadConfig("").Operations), workload.UnitThroughput)
	return r.memoryRows(m, "after_load")
}

// memoryRows report a member's memory.
func (r *rig) memoryRows(m *testcluster.Member, when string) error {
	resident, err := procstat.Field(m.PID(), "status", "VmRSS")
	if err != nil {
		return err
	}
	peak, err := procstat.Field(m.PID(), "status", "VmHWM")
	if err != nil {
		return err
	}
	each := float64(resident) / float64(r.Accounts)
	r.tell("%s: resident %d MiB, %.0f bytes an account, peak %d MiB", when, resident>>20, each, peak>>20)
	r.report.add("memory_"+when, float64(resident), unitBytes)
	r.report.add("memory_peak_"+when, float64(peak), unitBytes)
	r.report.atMost("memory_per_account_"+when, each, unitBytes, bytesPerAccount)
	return nil
}

// snapshotNow has the cluster take a snapshot of what is there now and waits until its members have it.
func (r *rig) snapshotNow(ctx context.Context) error {
	leader, err := r.leader(ctx)
	if err != nil {
		return err
	}
	s, err := leader.Status(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	index, err := r.askSnapshot(ctx)
	if err != nil {
		return err
	}
	for _, member := range s.Members {
		if err := r.hasSnapshot(ctx, r.cluster.Named(member.Name), index); err != nil {
			return err
		}
	}
	return nil
}
