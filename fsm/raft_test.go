package fsm

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/snapshots"
)

// TestUnderRaft runs a member alone under the raft library, with a snapshot in the middle, and starts it again twice:
// from the snapshot and the log behind it, and from the log alone.
func TestUnderRaft(t *testing.T) {
	dir, kept := t.TempDir(), t.TempDir()
	logs := raft.NewInmemStore()
	_, transport := raft.NewInmemTransport("a")
	must(t, raft.BootstrapCluster(raftConfig(), logs, logs, raft.NewInmemSnapshotStore(), transport, raft.Configuration{
		Servers: []raft.Server{{ID: "a", Address: "a"}},
	}))

	m := startRaft(t, dir, kept, logs)
	ops := newScript(1)
	for i, l := range ops.grow(60).logs {
		if l.Type != raft.LogCommand {
			continue
		}
		apply := m.raft.Apply(l.Data, 5*time.Second)
		must(t, apply.Error())
		if _, ok := apply.Response().(*Response); !ok {
			t.Fatalf("answered %T, want *Response", apply.Response())
		}
		if i == 20 || i == 40 {
			m.snapshot(t, ops.now)
			continue
		}
		if index, _ := m.Applied(); index != apply.Index() {
			t.Fatalf("index %d is published, want %d", index, apply.Index())
		}
	}
	want := portraitOf(t, m.FSM)
	m.stop(t)

	m = startRaft(t, dir, kept, logs)
	must(t, m.WaitApplied(t.Context(), want.index))
	requireSame(t, portraitOf(t, m.FSM), want, "started again from a snapshot")
	m.stop(t)

	m = startRaft(t, dir, t.TempDir(), logs)
	must(t, m.WaitApplied(t.Context(), want.index))
	requireSame(t, portraitOf(t, m.FSM), want, "started again from the log alone")
	m.stop(t)
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

// underRaft is a member alone.
type underRaft struct {
	*FSM
	raft  *raft.Raft
	store *snapshots.Store
	kept  *snapshots.RaftStore
}

func startRaft(t *testing.T, dir, kept string, logs *raft.InmemStore) *underRaft {
	t.Helper()
	fatal := func(err error) { t.Errorf("fatal: %v", err) }
	f, err := Open(Config{Dir: dir, FS: vfs.OS{}, SegmentBytes: 4000, Fatal: fatal})
	must(t, err)
	store, err := snapshots.Open(vfs.OS{}, kept)
	must(t, err)
	_, transport := raft.NewInmemTransport("a")
	elected := make(chan bool, 1)
	c := raftConfig()
	c.NotifyCh = elected
	keeps := raftStore(store, f, fatal)
	r, err := raft.NewRaft(c, f, logs, logs, keeps, transport)
	must(t, err)
	if leads := <-elected; !leads {
		t.Fatal("not elected")
	}
	return &underRaft{f, r, store, keeps}
}

// snapshot takes one at a mark.
func (m *underRaft) snapshot(t *testing.T, now int64) {
	t.Helper()
	must(t, m.raft.Apply(proposal.EncodeMark(now, 1), 5*time.Second).Error())
	mark := <-m.Marks()
	defer mark.Release()
	p, err := m.kept.Prepare(mark.Index(), mark.Term(), mark.Err)
	must(t, err)
	must(t, mark.Write(p))
	must(t, p.Seal())
	mark.Offer()
	must(t, m.raft.Snapshot().Error())
	must(t, p.Drop())
	if at, _ := m.store.At(); at != mark.Index() {
		t.Fatalf("the newest snapshot is at %d, want %d", at, mark.Index())
	}
}

func (m *underRaft) stop(t *testing.T) {
	t.Helper()
	m.BeginShutdown()
	must(t, m.raft.Shutdown().Error())
	must(t, m.store.Close())
	must(t, m.Close())
}

func raftStore(store *snapshots.Store, f *FSM, fatal func(error)) *snapshots.RaftStore {
	return snapshots.NewRaftStore(snapshots.RaftConfig{Store: store, Owner: owner{f}, Fatal: fatal})
}

// owner is what a state machine is to its snapshots.
type owner struct{ f *FSM }

func (o owner) Receive(meta []byte, digest page.Digest) (snapshots.Receiver, error) {
	r, err := o.f.Receive(meta, digest)
	if err != nil {
		return nil, err
	}
	return r, nil
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
