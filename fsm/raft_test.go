package fsm

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/internal/vfs"
)

// TestUnderRaft runs a member alone under the raft library, with a snapshot in the middle, and starts it again twice:
// from the snapshot and the log behind it, and from the log alone.
func TestUnderRaft(t *testing.T) {
	dir := t.TempDir()
	logs := raft.NewInmemStore()
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(dir, 2, hclog.NewNullLogger())
	must(t, err)
	_, transport := raft.NewInmemTransport("a")
	must(t, raft.BootstrapCluster(raftConfig(), logs, logs, snapshots, transport, raft.Configuration{
		Servers: []raft.Server{{ID: "a", Address: "a"}},
	}))

	f, r := startRaft(t, dir, logs, snapshots)
	ops := newScript(1)
	for i, l := range ops.grow(60).logs {
		if l.Type != raft.LogCommand {
			continue
		}
		apply := r.Apply(l.Data, 5*time.Second)
		must(t, apply.Error())
		if _, ok := apply.Response().(*Response); !ok {
			t.Fatalf("answered %T, want *Response", apply.Response())
		}
		if i == 40 {
			must(t, r.Snapshot().Error())
		}
		if index, _ := f.Applied(); index != apply.Index() {
			t.Fatalf("index %d is published, want %d", index, apply.Index())
		}
	}
	want := portraitOf(t, f)
	stopRaft(t, f, r)

	f, r = startRaft(t, dir, logs, snapshots)
	must(t, f.WaitApplied(t.Context(), want.index))
	requireSame(t, portraitOf(t, f), want, "started again from a snapshot")
	stopRaft(t, f, r)

	none, err := raft.NewFileSnapshotStoreWithLogger(t.TempDir(), 2, hclog.NewNullLogger())
	must(t, err)
	f, r = startRaft(t, dir, logs, none)
	must(t, f.WaitApplied(t.Context(), want.index))
	requireSame(t, portraitOf(t, f), want, "started again from the log alone")
	stopRaft(t, f, r)
}

func raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = "a"
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	c.BatchApplyCh = true
	c.SnapshotInterval, c.SnapshotThreshold, c.TrailingLogs = time.Hour, 1<<40, 1<<40
	c.Logger = hclog.NewNullLogger()
	return c
}

func startRaft(t *testing.T, dir string, logs *raft.InmemStore, snapshots raft.SnapshotStore) (*FSM, *raft.Raft) {
	t.Helper()
	f, err := Open(Config{Dir: dir, FS: vfs.OS{}, SegmentBytes: 4000, Fatal: func(err error) { t.Errorf("fatal: %v", err) }})
	must(t, err)
	_, transport := raft.NewInmemTransport("a")
	elected := make(chan bool, 1)
	c := raftConfig()
	c.NotifyCh = elected
	r, err := raft.NewRaft(c, f, logs, logs, snapshots, transport)
	must(t, err)
	if leads := <-elected; !leads {
		t.Fatal("not elected")
	}
	return f, r
}

func stopRaft(t *testing.T, f *FSM, r *raft.Raft) {
	t.Helper()
	f.BeginShutdown()
	must(t, r.Shutdown().Error())
	must(t, f.Close())
}

// BenchmarkApply is the whole of a follower's work on a proposal of transfers: decode, apply, journal.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1, 500, 4000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f, err := Open(Config{Dir: b.TempDir(), Fatal: func(err error) { b.Error(err) }})
			must(b, err)
			defer f.Close()
			s := newScript(1)
			f.ApplyBatch(s.logs)
			s.logs = s.logs[:0]
			ops := make([]ledger.Operation, n)
			for b.Loop() {
				b.StopTimer()
				for i := range ops {
					s.ids++
					ops[i] = ledger.Operation{
						Kind: ledger.KindTransfer, ID: fmt.Appendf(nil, "0198c1f2-7e4a-7bcd-8123-%012x", s.ids),
						Debit: []byte("account-0"), Credit: []byte("account-1"), Amount: 1,
					}
				}
				s.operations(append([]ledger.Operation{{Kind: ledger.KindCredit, Credit: []byte("account-0"), Amount: int64(n)}}, ops[1:]...)...)
				last := s.logs[len(s.logs)-1]
				b.StartTimer()
				if r := f.Apply(last).(*Response); r.Results[n-1].Code != ledger.CodeApplied {
					b.Fatalf("answered %+v", r.Results[n-1])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/operation")
		})
	}
}
