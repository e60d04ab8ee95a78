package node

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/logstore"
	"github.com/ballastdb/ballast/snapshots"
	"github.com/ballastdb/ballast/transport"
)

// wired is a member with a real log, a real raft and a real transport; its snapshots and journal are in memory.
type wired struct {
	floor
	server *grpc.Server
	served chan struct{}
}

func wiredID(name string) (raft.ServerID, transport.Identity) {
	identity := transport.Identity{ClusterID: [16]byte{1}, Incarnation: [16]byte{name[0]}}
	return transport.ServerID(name, identity.Incarnation), identity
}

// startWired starts the member b on what is on its disks. Where it is new it is told that it is in a cluster.
func startWired(t *testing.T, disk *vfs.Mem, dir string, members raft.Configuration, fresh bool) *wired {
	t.Helper()
	w := &wired{floor: floor{disk: disk}, served: make(chan struct{})}
	w.Logger, w.failed = hclog.NewNullLogger(), make(chan error, 1)
	fatal := func(err error) { t.Errorf("fatal: %v", err) }
	var err error
	w.log, err = logstore.Open(logstore.Options{Dir: dir, Kind: logstore.Bolt, Logger: w.Logger, Fatal: fatal})
	must(t, err)
	w.cache = newLogCache(w.log, 1<<20)
	w.machine, err = fsm.Open(fsm.Config{Dir: "/", FS: disk, Fatal: fatal})
	must(t, err)
	store, err := snapshots.Open(disk, "/snapshots")
	must(t, err)
	w.node.snapshots = snapshots.NewRaftStore(snapshots.RaftConfig{
		Store: store, Owner: stateOwner{w.machine}, Admit: w.admitInstall, Fatal: fatal,
	})
	w.attachLog()
	id, identity := wiredID("b")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.transport, err = transport.New(transport.Config{
		Identity: identity, LocalID: id, LocalAddress: raft.ServerAddress(l.Addr().String()), Logger: w.Logger,
		CurrentTerm: func() uint64 { return w.raft.CurrentTerm() },
		Stager:      stager{w.node.snapshots}, Judge: w.judgeOffer, Conflict: w.cutLog, BeforeInstall: w.beforeInstall,
	})
	must(t, err)
	c := raft.DefaultConfig()
	c.LocalID, c.Logger, c.BatchApplyCh = id, w.Logger, true
	c.HeartbeatTimeout, c.ElectionTimeout, c.SnapshotInterval = time.Hour, time.Hour, time.Hour
	if fresh {
		must(t, raft.BootstrapCluster(c, w.cache, w.log, w.node.snapshots, w.transport, members))
	}
	w.fed = &fedMachine{machine: w.machine}
	w.raft, err = raft.NewRaft(c, w.fed, w.cache, w.log, w.node.snapshots, w.transport)
	must(t, err)
	w.server = serveOn(l, w.transport, w.served)
	return w
}

func serveOn(l net.Listener, t *transport.Transport, served chan struct{}) *grpc.Server {
	s := grpc.NewServer(transport.ServerOptions(0)...)
	t.Register(s)
	go func() {
		defer close(served)
		_ = s.Serve(l)
	}()
	return s
}

func (w *wired) stop(t *testing.T) {
	t.Helper()
	w.transport.StopCalls()
	must(t, w.raft.Shutdown().Error())
	w.server.Stop()
	<-w.served
	must(t, w.node.snapshots.Close())
	must(t, w.machine.Close())
	must(t, w.log.Close())
}

// TestConflictingLogCatchesUp: a member holds entries that never were committed, and the leader's snapshot ends among them. Raft
// would install it, remember the old end of its log, and reject the next append, round after round. The member notes
// where its log must be cut and stops; started again it has cut it there and no lower, installs, and goes on.
func TestConflictingLogCatchesUp(t *testing.T) {
	const mark, end = 10, 12
	leaderID, identity := wiredID("a")
	followerID, _ := wiredID("b")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	stream, peer := streamAt(t, mark) // of term 1; that the conflict is of a later one makes no difference to raft
	leader, err := transport.New(transport.Config{
		Identity: identity, LocalID: leaderID, LocalAddress: raft.ServerAddress(l.Addr().String()), Logger: hclog.NewNullLogger(),
		CurrentTerm: func() uint64 { return 3 }, Stager: stager{}, Pages: peer,
	})
	must(t, err)
	served := make(chan struct{})
	s := serveOn(l, leader, served)
	defer func() { must(t, leader.Close()); s.Stop(); <-served }()
	members := raft.Configuration{Servers: []raft.Server{{ID: leaderID, Address: leader.LocalAddr()}, {ID: followerID, Address: "b"}}}
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(leaderID), Addr: []byte(leader.LocalAddr())}

	disk, dir := vfs.NewMem(), t.TempDir()
	must(t, disk.Mkdir("/snapshots", 0o700))
	b := startWired(t, disk, dir, members, true)
	defer func() { b.stop(t) }()
	send := func(term, prev, prevTerm uint64, commit uint64, entries []*raft.Log) bool {
		var answer raft.AppendEntriesResponse
		for _, e := range entries {
			e.Term = term
		}
		must(t, leader.AppendEntries(followerID, b.transport.LocalAddr(), &raft.AppendEntriesRequest{
			RPCHeader: header, Term: term, PrevLogEntry: prev, PrevLogTerm: prevTerm, Entries: entries, LeaderCommitIndex: commit,
		}, &answer))
		return answer.Success
	}
	if !send(2, 1, 1, 1, markers(2, end)) {
		t.Fatal("the entries that are never committed were not taken")
	}
	for range 5 {
		var answer raft.InstallSnapshotResponse
		installed := leader.InstallSnapshot(followerID, b.transport.LocalAddr(), &raft.InstallSnapshotRequest{
			RPCHeader: header, SnapshotVersion: 1, Term: 3, LastLogIndex: mark, LastLogTerm: 1,
			Configuration: raft.EncodeConfiguration(members), ConfigurationIndex: 1, Size: int64(len(stream)),
		}, &answer, bytes.NewReader(stream))
		select {
		case why := <-b.failed:
			t.Logf("stopped: %v", why)
			if last, err := b.log.LastIndex(); err != nil || last != end {
				t.Errorf("the log ends at %d before the member stops, %v", last, err)
			}
			b.stop(t)
			b = startWired(t, disk, dir, members, false)
			if last, err := b.log.LastIndex(); err != nil || last != mark-1 {
				t.Errorf("cut, the log ends at %d, %v, want %d", last, err, mark-1)
			}
		default:
			t.Logf("installed: %v", installed)
		}
		if installed == nil && answer.Success && send(3, mark, 1, mark+1, markers(mark+1, mark+1)) {
			must(t, b.machine.WaitApplied(t.Context(), mark+1))
			return
		}
	}
	t.Error("after five rounds the member is where it was")
}
