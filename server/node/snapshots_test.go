package node

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/snapshots"
)

// floor is a member up to raft, in memory.
type floor struct {
	node
	disk *vfs.Mem
}

func newFloor(t *testing.T) *floor {
	t.Helper()
	f := &floor{disk: vfs.NewMem()}
	must(t, f.disk.Mkdir("/snapshots", 0o700))
	fatal := func(err error) { t.Errorf("fatal: %v", err) }
	var err error
	f.machine, err = fsm.Open(fsm.Config{Dir: "/", FS: f.disk, Fatal: fatal})
	must(t, err)
	t.Cleanup(func() { must(t, f.machine.Close()) })
	store, err := snapshots.Open(f.disk, "/snapshots")
	must(t, err)
	f.cache = newLogCache(monotonic{raft.NewInmemStore()}, 1<<20)
	f.snapshots = snapshots.NewRaftStore(snapshots.RaftConfig{
		Store: store, Owner: stateOwner{f.machine}, Admit: f.admitInstall, Fatal: fatal,
	})
	return f
}

// offer has raft find a snapshot of the state as it is.
func (f *floor) offer(t *testing.T) *fsm.Mark {
	t.Helper()
	m, err := f.machine.PinExact()
	must(t, err)
	p, err := f.snapshots.Prepare(m.Index(), m.Term(), m.Err)
	must(t, err)
	must(t, m.Write(p))
	must(t, p.Seal())
	m.Offer()
	return m
}

var pair = raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}, {ID: "b", Address: "b"}}}

// markers are log entries.
func markers(first, last uint64) (logs []*raft.Log) {
	for i := first; i <= last; i++ {
		logs = append(logs, &raft.Log{Index: i, Term: 1, Type: raft.LogCommand, Data: proposal.EncodeMarker(1_785_000_000_000_000_000, 1, 1)})
	}
	return logs
}

// streamAt is what a member offers that has applied everything up to index.
func streamAt(t *testing.T, index uint64) ([]byte, *snapshots.RaftStore) {
	t.Helper()
	f := newFloor(t)
	f.machine.ApplyBatch(markers(2, index))
	m := f.offer(t)
	s, err := f.machine.Snapshot()
	must(t, err)
	sink, err := f.snapshots.Create(raft.SnapshotVersionMax, index, 1, pair, 1, nil)
	must(t, err)
	must(t, s.Persist(sink))
	m.Release()
	_, r, err := f.snapshots.Open(sink.ID())
	must(t, err)
	b, err := io.ReadAll(r)
	must(t, err)
	must(t, r.Close())
	return b, f.snapshots
}

// pull pulls pages directly of a leader.
type pull struct{ leader *snapshots.RaftStore }

func (pull) Sources() []snapshots.Source { return []snapshots.Source{{ID: "a", Leader: true}} }

func (p pull) Pull(ctx context.Context, _ snapshots.Source, index, term uint64, wants []byte, got func([]byte) error) error {
	return p.leader.ServePages(ctx, index, term, wants, got)
}

// slowStore holds raft up between the end of Persist and its own bookkeeping: when it closes the sink.
type slowStore struct {
	*snapshots.RaftStore
	persisted chan struct{} // closed when the snapshot is on the disk
	goOn      chan struct{}
}

type slowSink struct {
	*snapshots.Sink
	store *slowStore
}

func (s *slowStore) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration, ci uint64, trans raft.Transport) (raft.SnapshotSink, error) {
	sink, err := s.RaftStore.Create(version, index, term, c, ci, trans)
	if own, ok := sink.(*snapshots.Sink); ok && index < 10 {
		return &slowSink{Sink: own, store: s}, nil
	}
	return sink, err
}

func (s *slowSink) Close() error {
	close(s.store.persisted)
	<-s.store.goOn
	return s.Sink.Close()
}

// TestInstallWaitsForOwnSnapshot: a snapshot of the member's own is on the disk, and raft has not noted it yet, when a
// newer one arrives. Noted after that, it would make the last index go backwards on a member that has acknowledged more.
func TestInstallWaitsForOwnSnapshot(t *testing.T) {
	const own, newer = 6, 20
	stream, peer := streamAt(t, newer)
	f := newFloor(t)
	slow := &slowStore{RaftStore: f.snapshots, persisted: make(chan struct{}), goOn: make(chan struct{})}
	_, leader := raft.NewInmemTransport("a")
	_, trans := raft.NewInmemTransport("b")
	leader.Connect("b", trans)
	stable := raft.NewInmemStore()
	c := raft.DefaultConfig()
	c.LocalID, c.Logger, c.BatchApplyCh = "b", hclog.NewNullLogger(), true
	c.HeartbeatTimeout, c.ElectionTimeout, c.SnapshotInterval = time.Hour, time.Hour, time.Hour
	must(t, raft.BootstrapCluster(c, f.cache, stable, slow, trans, pair))
	r, err := raft.NewRaft(c, f.machine, f.cache, stable, slow, trans)
	must(t, err)
	defer func() { must(t, r.Shutdown().Error()) }()
	goOn := sync.OnceFunc(func() { close(slow.goOn) })
	defer goOn()

	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("a"), Addr: []byte("a")}
	var appended raft.AppendEntriesResponse
	must(t, leader.AppendEntries("b", "b", &raft.AppendEntriesRequest{
		RPCHeader: header, Term: 1, PrevLogEntry: 1, PrevLogTerm: 1, Entries: markers(2, own), LeaderCommitIndex: own,
	}, &appended))
	must(t, f.machine.WaitApplied(t.Context(), own))
	m := f.offer(t)
	taken := r.Snapshot()
	<-slow.persisted

	install := func() error {
		request := &raft.InstallSnapshotRequest{
			RPCHeader: header, SnapshotVersion: 1, Term: 1, LastLogIndex: newer, LastLogTerm: 1,
			Configuration: raft.EncodeConfiguration(pair), ConfigurationIndex: 1,
		}
		token, err := f.snapshots.Stage(t.Context(), request, bytes.NewReader(stream), pull{peer}, func(snapshots.Progress) {})
		if err != nil {
			return err
		}
		request.Size = int64(len(token))
		return leader.InstallSnapshot("b", "b", request, &raft.InstallSnapshotResponse{}, bytes.NewReader(token))
	}
	early := install()
	goOn()
	must(t, taken.Error())
	m.Release()
	if early == nil {
		if last := r.LastIndex(); last < newer {
			t.Fatalf("the last index went from %d back to %d", newer, last)
		}
		t.Fatal("installed while the member's own snapshot was not noted yet")
	}
	must(t, install())
	if last := r.LastIndex(); last != newer {
		t.Fatalf("after the install the last index is %d, want %d", last, newer)
	}
	if index, _ := f.machine.Applied(); index != newer {
		t.Fatalf("after the install the state is at %d, want %d", index, newer)
	}
}

// TestInstallKeepsWhatIsAcknowledged: an install below the log's end would take entries away that the member may have
// acknowledged.
func TestInstallKeepsWhatIsAcknowledged(t *testing.T) {
	f := newFloor(t)
	must(t, f.cache.StoreLogs(markers(2, 9)))
	for index, admitted := range map[uint64]bool{3: false, 8: false, 9: false, 10: true, 100: true} {
		if err := f.admitInstall(index, 1); (err == nil) != admitted {
			t.Errorf("a snapshot of index %d over a log to 9: %v", index, err)
		}
	}
}
