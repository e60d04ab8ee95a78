package server

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/roster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const (
	testCluster = "6f6f5c2e-1f53-4bb6-a3a7-000000000000"
	idA         = "a/6f6f5c2e-1f53-4bb6-a3a7-00000000000a"
	idB         = "b/6f6f5c2e-1f53-4bb6-a3a7-00000000000b"
	idC         = "c/6f6f5c2e-1f53-4bb6-a3a7-00000000000c"
)

// member is one member, a, with all services on a real state machine and a raft that commits at once.
type member struct {
	raft      *fakeRaft
	fsm       *fsm.FSM
	gate      *Gate
	coalescer *Coalescer
	terms     *TermLoop
	money     ballastv1.MoneyServiceClient
	operator  ballastv1.OperatorServiceClient
	peers     *fakePeers
	steady    error
	snapshots fakeSnapshots
	backups   fakeBackups
	inspector fakeInspector
	now       time.Time
	conn      *grpc.ClientConn
	// operatorConfig is the operator service's.
	operatorConfig OperatorConfig
}

func address(kind, name string) string { return name + "." + kind + ":1" }

func rosterMember(id string) roster.Member {
	name := memberName(raft.ServerID(id))
	return roster.Member{
		ID: id, MemberAddress: address("member", name), ClientAddress: address("client", name),
		OperatorAddress: address("operator", name),
	}
}

func voter(id string) raft.Server {
	return raft.Server{Suffrage: raft.Voter, ID: raft.ServerID(id), Address: raft.ServerAddress(rosterMember(id).MemberAddress)}
}

func nonVoter(id string) raft.Server {
	s := voter(id)
	s.Suffrage = raft.Nonvoter
	return s
}

// fakePeers tells what the test says of each member.
type fakePeers struct {
	mu    sync.Mutex
	known map[string]func() (Progress, error)
}

func (p *fakePeers) Progress(_ context.Context, m roster.Member) (Progress, error) {
	p.mu.Lock()
	tell := p.known[m.ID]
	p.mu.Unlock()
	if tell == nil {
		return Progress{}, context.DeadlineExceeded
	}
	return tell()
}

func (p *fakePeers) says(id string, term, last uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[id] = func() (Progress, error) {
		return Progress{ID: raft.ServerID(id), Term: term, LastIndex: last, Applied: last, Version: "test", NewestVersion: fsm.SupportedVersion}, nil
	}
}

func newMember(t *testing.T, change func(*MoneyConfig)) *member {
	t.Helper()
	logger := hclog.NewNullLogger()
	m := &member{
		raft: newFakeRaft(), gate: &Gate{}, peers: &fakePeers{known: map[string]func() (Progress, error){}},
		now: time.Unix(1_800_000_000, 0),
	}
	var err error
	m.fsm, err = fsm.Open(fsm.Config{Dir: t.TempDir(), Fatal: func(err error) { t.Errorf("fatal: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	m.raft.configuration.Servers = []raft.Server{voter(idA)}
	m.raft.leader = voter(idA)
	m.commitAtOnce()
	stamper := NewStamper(func() time.Time { return m.now })
	m.coalescer = NewCoalescer(CoalescerConfig{
		Raft: m.raft, Stamper: stamper, Logger: logger, Seal: SealOperations(m.fsm.ClusterVersion), Open: OpenResponse,
	})
	reads := NewReadIndex(ReadIndexConfig{
		Raft: m.raft, LocalID: idA, Logs: fakeLogs{}, State: m.fsm, Logger: logger,
		Confirmer: fakeConfirmer{make(chan question, 100)},
	})
	proposer := NewProposer(ProposerConfig{
		Raft: m.raft, Stamper: stamper, ClusterVersion: m.fsm.ClusterVersion, Open: OpenResponse,
	})
	m.terms = NewTermLoop(TermLoopConfig{
		Clock: setClock{}, LogTime: noLogTime,
		Raft: m.raft, Duties: proposer, Self: rosterMember(idA), Announced: m.fsm.Member, Applied: m.fsm.Applied,
		Covered: m.fsm.LastCheckpointCovers, Logger: logger,
	})
	cfg := MoneyConfig{
		Raft: m.raft, Coalescer: m.coalescer, Reads: reads, Store: m.fsm, Gate: m.gate, Logger: logger,
		Leader: LeaderHint(m.raft, m.fsm), Ready: setClock{}.Ready,
	}
	if change != nil {
		change(&cfg)
	}
	transfers := NewTransfers(TransfersConfig{
		Raft: m.raft, LocalID: idA, Roster: m.fsm, Peers: m.peers, Holder: m.coalescer, Logger: logger,
	})
	m.operatorConfig = OperatorConfig{
		Raft: m.raft, Store: m.fsm, Reads: reads, Commands: proposer, Transfers: transfers, Peers: m.peers, Gate: m.gate,
		Snapshots: &m.snapshots, Backups: &m.backups, Inspector: &m.inspector, Logger: logger, Self: rosterMember(idA), ClusterID: testCluster, Marked: m.terms.Marked, Version: "test", PID: 4711,
		Steady: func(raft.ServerID) error { return m.steady },
	}
	operator := NewOperator(m.operatorConfig)
	m.serve(t, NewMoney(cfg), operator, logger)
	t.Cleanup(func() {
		reads.Close()
		if err := m.coalescer.Close(testContext(t)); err != nil {
			t.Error(err)
		}
		if err := m.fsm.Close(); err != nil {
			t.Error(err)
		}
	})
	m.terms.step(testContext(t), time.Now())
	return m
}

// commitAtOnce makes raft commit and apply each proposal as it comes.
func (m *member) commitAtOnce() {
	var mu sync.Mutex
	m.raft.with(func(r *fakeRaft) {
		r.respond = func(f *fakeFuture) {
			mu.Lock()
			defer mu.Unlock()
			var index uint64
			m.raft.with(func(r *fakeRaft) { r.commit++; r.last++; index = r.commit })
			f.succeed(index, m.fsm.Apply(&raft.Log{Index: index, Term: m.raft.CurrentTerm(), Type: raft.LogCommand, Data: f.data}))
		}
	})
}

func (m *member) serve(t *testing.T, money *Money, operator *Operator, logger hclog.Logger) {
	t.Helper()
	m.conn = serveOn(t, logger, func(s *grpc.Server) {
		ballastv1.RegisterMoneyServiceServer(s, money)
		ballastv1.RegisterBooksServiceServer(s, NewBooks(BooksConfig{Raft: m.raft, Store: m.fsm, Gate: m.gate, Logger: logger, ClusterID: testCluster, Member: "a"}))
		ballastv1.RegisterOperatorServiceServer(s, operator)
	})
	m.money, m.operator = ballastv1.NewMoneyServiceClient(m.conn), ballastv1.NewOperatorServiceClient(m.conn)
}

// serveOn serves what register registers, and connects to it.
func serveOn(t *testing.T, logger hclog.Logger, register func(*grpc.Server)) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	s := grpc.NewServer(ServerOptions(ListenConfig{Logger: logger, Fatal: func(err error) { t.Error(err) }})...)
	register(s)
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(listener) }) // ends with Stop
	conn, err := grpc.NewClient("passthrough:///member", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		serving.Wait()
	})
	return conn
}
