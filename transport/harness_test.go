package transport

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come. Nothing is measured with it.
const patience = 20 * time.Second

func testCluster() [16]byte { return [16]byte{0xc1} }

// member is a transport that serves on loopback.
type member struct {
	*Transport
	id      raft.ServerID
	address raft.ServerAddress
	server  *grpc.Server
	served  chan struct{}
}

// listen opens a port on loopback.
func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// testConfig is the configuration of the member with this name, whose incarnation is made from its first letter.
func testConfig(t testing.TB, name string, address net.Addr) Config {
	incarnation := [16]byte{name[0]}
	return Config{
		Identity:     Identity{ClusterID: testCluster(), Incarnation: incarnation},
		LocalID:      ServerID(name, incarnation),
		LocalAddress: raft.ServerAddress(address.String()),
		Logger:       hclog.NewNullLogger(),
		CurrentTerm:  func() uint64 { return 0 },
		Stager:       wholeToken{},
		// The machine that runs the tests may be busy; what is about a deadline sets its own.
		Timeouts: Timeouts{Heartbeat: patience, Vote: patience, Confirm: patience, Append: patience, Probe: patience},
	}
}

// wholeToken stages in memory: the token is the snapshot itself.
type wholeToken struct{}

func (wholeToken) Stage(_ context.Context, _ *raft.InstallSnapshotRequest, data io.Reader, _ Puller, _ func(Progress)) ([]byte, error) {
	return io.ReadAll(data)
}

// start makes a member and serves it on l until the test ends.
func start(t testing.TB, l net.Listener, config Config) *member {
	t.Helper()
	transport, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	m := &member{
		Transport: transport, id: config.LocalID, address: config.LocalAddress,
		server: grpc.NewServer(ServerOptions(0)...), served: make(chan struct{}),
	}
	transport.Register(m.server)
	go func() {
		defer close(m.served)
		_ = m.server.Serve(l)
	}()
	t.Cleanup(m.stop)
	return m
}

func (m *member) stop() {
	m.StopCalls()
	_ = m.Close()
	m.server.Stop()
	<-m.served
}

// startMember is start on a new port, with the test's configuration changed by set.
func startMember(t testing.TB, name string, set func(*Config)) *member {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	config := testConfig(t, name, l.Addr())
	if set != nil {
		set(&config)
	}
	return start(t, l, config)
}

// answerAll is a raft that answers each message with what f returns, until the test ends.
func (m *member) answerAll(t testing.TB, f func(raft.RPC) (any, error)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case rpc := <-m.Consumer():
				rpc.Respond(f(rpc))
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// scripted serves a RaftService that the test wrote, under the id and address returned.
func scripted(t *testing.T, name string, service raftv1.RaftServiceServer) (raft.ServerID, raft.ServerAddress) {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	server := grpc.NewServer()
	raftv1.RegisterRaftServiceServer(server, service)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() { server.Stop(); <-served })
	return ServerID(name, [16]byte{name[0]}), raft.ServerAddress(l.Addr().String())
}

// within fails the test when f has not returned after the test's patience; f goes on then.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s: nothing happened within %v", what, patience)
	}
}

func header(m *member) raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(m.id), Addr: []byte(m.address)}
}

func heartbeat(m *member) *raft.AppendEntriesRequest {
	return &raft.AppendEntriesRequest{RPCHeader: header(m), Term: 3, Leader: []byte(m.address)}
}

// appendOf is an append of count entries of size bytes each, after the entry prev.
func appendOf(m *member, prev uint64, count, size int) *raft.AppendEntriesRequest {
	r := &raft.AppendEntriesRequest{RPCHeader: header(m), Term: 3, PrevLogEntry: prev, PrevLogTerm: 2, LeaderCommitIndex: prev}
	for i := range count {
		data := bytes.Repeat([]byte{byte(i), byte(i >> 8), 1, 2}, size/4+1)[:size]
		r.Entries = append(r.Entries, &raft.Log{Index: prev + uint64(i) + 1, Term: 3, Data: data})
	}
	return r
}

func success(rpc raft.RPC) (any, error) {
	r := rpc.Command.(*raft.AppendEntriesRequest)
	return &raft.AppendEntriesResponse{Term: r.Term, LastLog: r.PrevLogEntry + uint64(len(r.Entries)), Success: true}, nil
}
