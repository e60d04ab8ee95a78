package marks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/fsm/upkeep"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/snapshots"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const keptDir = "/snapshots"

// member is a state machine, its snapshots and raft on a disk in memory. Its log and votes survive its stops.
type member struct {
	t         *testing.T
	id        raft.ServerID
	disk      *vfs.Mem
	log       *raft.InmemStore
	published func(m *member, index uint64) // nil: nobody is told

	machine     *fsm.FSM
	store       *snapshots.Store
	kept        *snapshots.RaftStore
	transport   *raft.InmemTransport
	raft        *raft.Raft
	snapshotter *Snapshotter
	cadence     *Cadence
	settings    upkeep.Settings
	end         func()
}

func newMember(t *testing.T, id string) *member {
	t.Helper()
	m := &member{t: t, id: raft.ServerID(id), disk: vfs.NewMem(), log: raft.NewInmemStore(), settings: upkeep.Default()}
	must(t, m.disk.Mkdir(keptDir, 0o700))
	must(t, m.disk.SyncDir("/"))
	return m
}

func (m *member) config() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID, c.Logger, c.BatchApplyCh = m.id, hclog.NewNullLogger(), true
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
	c.SnapshotInterval, c.SnapshotThreshold, c.TrailingLogs = time.Hour, 1<<60, 1<<60
	return c
}

// start starts it on what its disk holds.
func (m *member) start(configuration raft.Configuration) {
	t := m.t
	t.Helper()
	fatal := func(err error) { t.Errorf("%s: fatal: %v", m.id, err) }
	var err error
	m.machine, err = fsm.Open(fsm.Config{Dir: "/", FS: m.disk, SegmentBytes: 64 << 10, Fatal: fatal})
	must(t, err)
	m.store, err = snapshots.Open(m.disk, keptDir)
	must(t, err)
	m.kept = snapshots.NewRaftStore(snapshots.RaftConfig{
		Store: m.store, Owner: owner{m.machine}, Fatal: fatal,
	})
	_, m.transport = raft.NewInmemTransport(raft.ServerAddress(m.id))
	if last, _ := m.log.LastIndex(); last == 0 {
		must(t, raft.BootstrapCluster(m.config(), m.log, m.log, m.kept, m.transport, configuration))
	}
	m.raft, err = raft.NewRaft(m.config(), m.machine, m.log, m.log, telling{m.kept, m}, m.transport)
	must(t, err)
	logger := hclog.NewNullLogger()
	m.snapshotter = NewSnapshotter(SnapshotterConfig{Machine: m.machine, Store: m.kept, Raft: m.raft, Logger: logger})
	m.cadence = NewCadence(CadenceConfig{
		Leading: func() bool { return m.raft.State() == raft.Leader }, Weight: m.machine.Weight,
		Settings: func() upkeep.Settings { return m.settings }, Propose: m.mark, Taken: m.snapshotter.Taken,
		Logger: logger, Tick: 5 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { m.snapshotter.Run(ctx) })
	running.Go(func() { m.cadence.Run(ctx) })
	m.end = func() { cancel(); running.Wait() }
}

// stop stops it as a node does.
func (m *member) stop() {
	m.machine.BeginShutdown()
	must(m.t, m.raft.Shutdown().Error())
	m.end()
	must(m.t, errors.Join(m.kept.Close(), m.store.Close(), m.machine.Close(), m.transport.Close()))
}

// crash leaves of its disk what a power cut would.
func (m *member) crash(seed uint64) {
	left := m.disk.Crash(seed)
	m.stop()
	m.disk = left
}

// mark commits a snapshot mark.
func (m *member) mark(context.Context) (uint64, error) {
	f := m.raft.Apply(proposal.EncodeMark(now(), 1), time.Second)
	err := f.Error()
	return f.Index(), err
}

func now() int64 { return time.Now().UnixNano() }

// apply commits operations.
func (m *member) apply(ops ...ledger.Operation) error {
	b := proposal.NewBuilder(1)
	for i := range ops {
		ops[i].IssuedAt, ops[i].Attempt = now(), 1
		must(m.t, b.Add(proposal.AppendOperation(nil, &ops[i]), 1))
	}
	return m.raft.Apply(b.Finish(now()), time.Second).Error()
}

// accounts are what openAccounts makes.
const accounts = 3000

// openAccounts makes a ledger with accounts, so that the state has a number of pages.
func (m *member) openAccounts() {
	must(m.t, m.apply(ledger.Operation{Kind: ledger.KindCreateLedger, ID: []byte("ledger"), Ledger: []byte("usd"), Asset: []byte("USD"), Scale: 2}))
	for at := 0; at < accounts; at += 1000 {
		ops := make([]ledger.Operation, 1000)
		for i := range ops {
			ops[i] = ledger.Operation{Kind: ledger.KindCreateAccount, ID: fmt.Appendf(nil, "open-%d", at+i), Credit: account(at + i), Ledger: []byte("usd")}
		}
		must(m.t, m.apply(ops...))
	}
}

func account(n int) []byte { return fmt.Appendf(nil, "account-%d", n) }

// owner is what a state machine is to its snapshots.
type owner struct{ f *fsm.FSM }

func (o owner) Receive(meta []byte, digest page.Digest) (snapshots.Receiver, error) {
	r, err := o.f.Receive(meta, digest)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// pageAt is what members must have alike of a page.
type pageAt struct {
	page.ID
	index, checksum uint64
}

// pages are those of the newest snapshot.
func (m *member) pages() (index, term uint64, list []pageAt) {
	sn, err := m.store.Newest()
	must(m.t, err)
	must(m.t, sn.Walk(func(p page.Page) error {
		list = append(list, pageAt{p.ID, p.Index, page.Checksum(p.ID, p.Data)})
		return nil
	}))
	must(m.t, sn.Close())
	return sn.Index, sn.Term, list
}

// telling is a member's snapshot store that tells of what is published.
type telling struct {
	*snapshots.RaftStore
	m *member
}

func (s telling) Create(
	version raft.SnapshotVersion, index, term uint64, c raft.Configuration, at uint64, t raft.Transport,
) (raft.SnapshotSink, error) {
	sink, err := s.RaftStore.Create(version, index, term, c, at, t)
	if err != nil {
		return nil, err
	}
	return tellingSink{sink.(*snapshots.Sink), s}, nil
}

type tellingSink struct {
	*snapshots.Sink
	store telling
}

func (s tellingSink) Publish(index, term uint64) error {
	err := s.Sink.Publish(index, term)
	if err == nil && s.store.m.published != nil {
		s.store.m.published(s.store.m, index)
	}
	return err
}
