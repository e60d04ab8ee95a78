package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/snapshots"
	"github.com/ballastdb/ballast/transport"
)

// replica is a member up to raft, on a disk and a log in memory, which it finds again when it is started again; its
// connections are real.
type replica struct {
	t       *testing.T
	name    string
	address string
	disk    *vfs.Mem
	log     *raft.InmemStore
	pulls   atomic.Pointer[func(from transport.Source) error] // called for each chunk of pages; nil: nothing is
	last    atomic.Pointer[transport.Progress]                // of the newest staging

	machine   *fsm.FSM
	store     *snapshots.Store
	snapshots *snapshots.RaftStore
	transport *transport.Transport
	raft      *raft.Raft
	server    *grpc.Server
	ended     chan struct{}
	serving   sync.WaitGroup
}

func newReplica(t *testing.T, name string) *replica {
	t.Helper()
	r := &replica{t: t, name: name, address: "127.0.0.1:0", disk: vfs.NewMem(), log: raft.NewInmemStore()}
	must(t, r.disk.Mkdir("/snapshots", 0o700))
	must(t, r.disk.SyncDir("/"))
	r.start()
	t.Cleanup(r.stop)
	return r
}

func (r *replica) id() raft.ServerID { return transport.ServerID(r.name, [16]byte{r.name[0]}) }

func (r *replica) start() {
	t := r.t
	t.Helper()
	l, err := net.Listen("tcp", r.address)
	must(t, err)
	r.address = l.Addr().String()
	fatal := func(err error) { t.Errorf("%s: fatal: %v", r.name, err) }
	r.machine, err = fsm.Open(fsm.Config{Dir: "/", FS: r.disk, Fatal: fatal})
	must(t, err)
	r.store, err = snapshots.Open(r.disk, "/snapshots")
	must(t, err)
	r.snapshots = snapshots.NewRaftStore(snapshots.RaftConfig{Store: r.store, Owner: stateOwner{r.machine}, Fatal: fatal})
	r.transport, err = transport.New(transport.Config{
		Identity: transport.Identity{ClusterID: [16]byte{7}, Incarnation: [16]byte{r.name[0]}},
		LocalID:  r.id(), LocalAddress: raft.ServerAddress(r.address), Logger: hclog.NewNullLogger(),
		Stager: r, Pages: r.snapshots, NewestSnapshot: r.snapshots.NewestIndex, BeforeInstall: r.machine.HoldSnapshots,
		CurrentTerm: func() uint64 { return r.raft.CurrentTerm() },
	})
	must(t, err)
	c := raft.DefaultConfig()
	c.LocalID, c.Logger, c.BatchApplyCh, c.TrailingLogs = r.id(), hclog.NewNullLogger(), true, 1
	c.SnapshotInterval, c.SnapshotThreshold = time.Hour, 1<<40
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 3*time.Second, 3*time.Second, 3*time.Second // the machine may be busy
	r.raft, err = raft.NewRaft(c, r.machine, r.log, r.log, r.snapshots, r.transport)
	must(t, err)
	r.server = grpc.NewServer(transport.ServerOptions(0)...)
	r.transport.Register(r.server)
	r.serving.Go(func() { _ = r.server.Serve(l) })
	r.ended = make(chan struct{})
	end := r.ended
	r.serving.Go(func() { r.takeMarks(end) })
}

// stop ends it in the order that a daemon keeps.
func (r *replica) stop() {
	if r.raft == nil {
		return
	}
	r.transport.StopCalls()
	r.machine.BeginShutdown()
	must(r.t, r.raft.Shutdown().Error())
	must(r.t, r.transport.Close())
	r.server.Stop()
	close(r.ended)
	r.serving.Wait()
	must(r.t, r.snapshots.Close())
	must(r.t, r.store.Close())
	must(r.t, r.machine.Close())
	r.raft = nil
}

// Stage implements transport.Stager, in sight of the test.
func (r *replica) Stage(ctx context.Context, req *raft.InstallSnapshotRequest, manifest io.Reader, from transport.Puller, progress func(transport.Progress)) ([]byte, error) {
	return stager{r.snapshots}.Stage(ctx, req, manifest, seen{from, r}, func(p transport.Progress) {
		r.last.Store(&p)
		progress(p)
	})
}

// seen calls the replica's hook for each chunk.
type seen struct {
	transport.Puller
	r *replica
}

func (s seen) Pull(ctx context.Context, from transport.Source, index, term uint64, wants []byte, got func([]byte) error) error {
	return s.Puller.Pull(ctx, from, index, term, wants, func(items []byte) error {
		if hook := s.r.pulls.Load(); hook != nil {
			if err := (*hook)(from); err != nil {
				return err
			}
		}
		return got(items)
	})
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 6000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: not within a minute", what)
}

// leaderOf waits for a leader among replicas that run.
func leaderOf(t *testing.T, all ...*replica) (leader *replica) {
	t.Helper()
	eventually(t, "a leader", func() bool {
		for _, r := range all {
			if r.raft != nil && r.raft.State() == raft.Leader && r.raft.VerifyLeader().Error() == nil {
				leader = r
				return true
			}
		}
		return false
	})
	return leader
}

// formed is a cluster of three and its leader, the first.
func formed(t *testing.T) []*replica {
	t.Helper()
	all := []*replica{newReplica(t, "a"), newReplica(t, "b"), newReplica(t, "c")}
	servers := []raft.Server{}
	for _, r := range all {
		servers = append(servers, raft.Server{ID: r.id(), Address: raft.ServerAddress(r.address)})
	}
	must(t, all[0].raft.BootstrapCluster(raft.Configuration{Servers: servers}).Error())
	leader := leaderOf(t, all...)
	for i, r := range all {
		if r == leader {
			all[0], all[i] = all[i], all[0]
		}
	}
	return all
}

// openAccounts proposes accounts from first on.
func openAccounts(t *testing.T, leader *replica, first, n int) {
	t.Helper()
	const now = int64(1_785_000_000_000_000_000)
	var ops []ledger.Operation
	if first == 0 {
		ops = append(ops, ledger.Operation{Kind: ledger.KindCreateLedger, Ledger: []byte("usd"), Asset: []byte("USD")})
	}
	for i := range n {
		ops = append(ops, ledger.Operation{Kind: ledger.KindCreateAccount, Credit: fmt.Appendf(nil, "account-%d", first+i), Ledger: []byte("usd")})
	}
	for at := 0; at < len(ops); at += 1000 {
		b := proposal.NewBuilder(1)
		for i := range ops[at:min(len(ops), at+1000)] {
			op := &ops[at+i]
			op.ID, op.IssuedAt, op.Attempt = fmt.Appendf(nil, "%d-%d", first, at+i), now, 1
			must(t, b.Add(proposal.AppendOperation(nil, op), 1))
		}
		must(t, leader.raft.Apply(b.Finish(now), time.Minute).Error())
	}
}

// snapshotted has the cluster mark a snapshot, and waits until these replicas have taken it.
func snapshotted(t *testing.T, all ...*replica) {
	t.Helper()
	f := all[0].raft.Apply(proposal.EncodeMark(1_785_000_000_000_000_000, 1), time.Minute)
	must(t, f.Error())
	for _, r := range all {
		eventually(t, "a snapshot of "+r.name, func() bool { return r.snapshots.NewestIndex() >= f.Index() && r.machine.Weight().Mark >= f.Index() })
	}
}

// takeMarks takes a snapshot at each mark until the replica ends.
func (r *replica) takeMarks(end <-chan struct{}) {
	for {
		select {
		case m := <-r.machine.Marks():
			if err := r.take(m); err != nil {
				r.t.Logf("%s: no snapshot of index %d: %v", r.name, m.Index(), err)
			}
		case <-end:
			return
		}
	}
}

func (r *replica) take(m *fsm.Mark) error {
	defer m.Release()
	p, err := r.snapshots.Prepare(m.Index(), m.Term(), m.Err)
	if err != nil {
		return err
	}
	err = m.Write(p)
	if err == nil {
		err = p.Seal()
	}
	if err == nil {
		m.Offer()
		err = r.raft.Snapshot().Error()
	}
	return errors.Join(err, p.Drop())
}

func (r *replica) digest() (d page.Digest, index uint64) {
	r.machine.ReadIndexed(func(s *ledger.State, at uint64) { d, index = s.Space().Digest(), at })
	return d, index
}

// same waits until replicas have the same state, recomputed from the pages.
func same(t *testing.T, all ...*replica) {
	t.Helper()
	eventually(t, "the same state", func() bool {
		want, at := all[0].digest()
		for _, r := range all {
			if d, index := r.digest(); d != want || index != at {
				return false
			}
		}
		return true
	})
	for _, r := range all {
		r.machine.Read(func(s *ledger.State) {
			if s.Space().RecomputeDigest() != s.Space().Digest() {
				t.Errorf("%s: its pages are not what its digest says", r.name)
			}
		})
	}
}

// TestMembersCatchUp: a member that was away beyond the log pulls what differs, from the one that does not lead; and so does
// one that is new and has nothing.
func TestMembersCatchUp(t *testing.T) {
	all := formed(t)
	leader, other, away := all[0], all[1], all[2]
	openAccounts(t, leader, 0, 3000)
	same(t, all...)
	away.stop()
	openAccounts(t, leader, 3000, 3000)
	snapshotted(t, leader, other)
	away.start()
	same(t, all...)
	p := away.last.Load()
	if p == nil || p.BytesFromLeader != 0 || p.BytesFromOthers == 0 || p.PagesReused == 0 || p.PagesDone != p.PagesTotal {
		t.Errorf("it caught up by %+v", p)
	}

	fresh := newReplica(t, "d")
	must(t, leader.raft.AddNonvoter(fresh.id(), raft.ServerAddress(fresh.address), 0, time.Minute).Error())
	same(t, append(all, fresh)...)
	if p := fresh.last.Load(); p == nil || p.BytesFromLeader > p.BytesFromOthers || p.PagesDone != p.PagesTotal {
		t.Errorf("the new one caught up by %+v", p)
	}
	openAccounts(t, leader, 6000, 10)
	same(t, append(all, fresh)...)
}

// TestLeaderDiesWhileStaging: the follower that is staging answers votes, without which there is no leader; the new one offers the
// snapshot again, after a restart of the follower too, and what has arrived is not sent again.
func TestLeaderDiesWhileStaging(t *testing.T) {
	all := formed(t)
	leader, other, away := all[0], all[1], all[2]
	away.stop()
	openAccounts(t, leader, 0, 20_000)
	snapshotted(t, leader, other)

	reached, goOn := make(chan struct{}), make(chan struct{})
	chunks := 0
	hold := func(transport.Source) error {
		if chunks++; chunks == 10 {
			close(reached)
			<-goOn
		}
		return nil
	}
	away.pulls.Store(&hold)
	away.start()
	<-reached
	leader.stop()
	now := leaderOf(t, other, away) // with the vote of the one that is staging
	if now != other {
		t.Fatalf("%s leads, with less than it acknowledged", now.name)
	}
	close(goOn)
	same(t, other, away)
	leader.start()
	same(t, leader, other, away)
	away.pulls.Store(nil)
	p := away.last.Load()
	if sent := uint64(chunks) * 128 << 10; p.PagesDone != p.PagesTotal || sent > (p.PagesTotal+100)*page.Size {
		t.Errorf("%d chunks came, and in the end %+v", chunks, p)
	}
}

// TestRestartWhileStaging: what has arrived is there after a restart, and not sent again.
func TestRestartWhileStaging(t *testing.T) {
	all := formed(t)
	leader, other, away := all[0], all[1], all[2]
	away.stop()
	openAccounts(t, leader, 0, 20_000)
	snapshotted(t, leader, other)
	reached, goOn := make(chan struct{}), make(chan struct{})
	chunks := 0
	hold := func(transport.Source) error {
		if chunks++; chunks == 10 {
			close(reached)
			<-goOn
		}
		return nil
	}
	away.pulls.Store(&hold)
	away.start()
	<-reached
	before := *away.last.Load()
	away.transport.StopCalls()
	close(goOn)
	away.stop()
	away.pulls.Store(nil)
	away.start()
	same(t, all...)
	after := away.last.Load()
	if before.PagesDone < 50 || after.PagesReused < before.PagesDone || after.PagesDone != after.PagesTotal {
		t.Errorf("before: %+v\nafter: %+v", before, after)
	}
	if sent := before.BytesFromOthers + after.BytesFromOthers + after.BytesFromLeader; sent > (after.PagesTotal+10)*page.Size {
		t.Errorf("%d bytes were sent in all for %d pages", sent, after.PagesTotal)
	}
}
