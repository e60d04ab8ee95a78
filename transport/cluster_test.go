package transport

import (
	"context"
	"encoding/binary"
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

	"github.com/ballastdb/ballast/logstore"
	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// counter is a state machine: it remembers the commands' numbers in their order.
type counter struct {
	mu      sync.Mutex
	numbers []uint64
}

func (c *counter) Apply(l *raft.Log) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.numbers = append(c.numbers, binary.BigEndian.Uint64(l.Data))
	return nil
}

func (c *counter) Snapshot() (raft.FSMSnapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &counter{numbers: append([]uint64(nil), c.numbers...)}, nil
}

func (c *counter) Persist(sink raft.SnapshotSink) error {
	if err := binary.Write(sink, binary.BigEndian, c.numbers); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

func (c *counter) Release() {}

func (c *counter) Restore(r io.ReadCloser) error {
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.numbers = nil
	for ; len(b) >= 8; b = b[8:] {
		c.numbers = append(c.numbers, binary.BigEndian.Uint64(b))
	}
	return nil
}

func (c *counter) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.numbers)
}

// node is a whole raft member on a directory; it can be stopped and started again.
type node struct {
	t       *testing.T
	name    string
	dir     string
	config  Config
	address string
	timeout time.Duration          // of heartbeats, elections and the leader's lease
	stall   atomic.Pointer[func()] // before each write of the log

	*member
	fsm   *counter
	raft  *raft.Raft
	store *logstore.Store
}

func (n *node) start() {
	n.t.Helper()
	var err error
	n.store, err = logstore.Open(logstore.Options{
		Dir: n.dir, Kind: logstore.Bolt, Logger: hclog.NewNullLogger(),
		Fatal: func(err error) { n.t.Errorf("%s: fatal: %v", n.name, err) }, BeforeWrite: n.beforeWrite,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(n.dir, 2, hclog.NewNullLogger())
	if err != nil {
		n.t.Fatal(err)
	}
	var l net.Listener
	if l, err = net.Listen("tcp", n.address); err != nil {
		n.t.Fatal(err)
	}
	n.address = l.Addr().String()
	n.config = testConfig(n.t, n.name, l.Addr())
	n.config.Timeouts = Timeouts{} // as in production
	n.member = start(n.t, l, n.config)
	n.fsm = &counter{}
	n.raft, err = raft.NewRaft(raftConfig(n.config.LocalID, n.timeout), n.fsm, n.store, n.store, snapshots, n.member)
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) beforeWrite() {
	if stall := n.stall.Load(); stall != nil {
		(*stall)()
	}
}

func (n *node) setStall(stall func()) {
	if stall == nil {
		n.stall.Store(nil)
		return
	}
	n.stall.Store(&stall)
}

func raftConfig(id raft.ServerID, timeout time.Duration) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = id
	c.Logger = hclog.NewNullLogger()
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = timeout, timeout, timeout
	c.CommitTimeout = 10 * time.Millisecond
	c.MaxAppendEntries = 64
	c.TrailingLogs = 4
	c.SnapshotThreshold = 1 << 30
	return c
}

// stop ends the node in the order that a daemon must keep.
func (n *node) stop() {
	if n.raft == nil {
		return
	}
	within(n.t, "shutdown of "+n.name, func() {
		n.StopCalls()
		if err := n.raft.Shutdown().Error(); err != nil {
			n.t.Errorf("%s: shutdown: %v", n.name, err)
		}
		n.member.stop()
		if err := n.store.Close(); err != nil {
			n.t.Errorf("%s: close the log: %v", n.name, err)
		}
	})
	n.raft = nil
}

// startCluster starts three bootstrapped nodes.
func startCluster(t *testing.T, timeout time.Duration) []*node {
	var nodes []*node
	var servers []raft.Server
	for _, name := range []string{"a", "b", "c"} {
		n := &node{t: t, name: name, dir: t.TempDir(), address: "127.0.0.1:0", timeout: timeout}
		n.start()
		t.Cleanup(n.stop)
		nodes = append(nodes, n)
		servers = append(servers, raft.Server{ID: n.id, Address: n.member.address})
	}
	if err := nodes[0].raft.BootstrapCluster(raft.Configuration{Servers: servers}).Error(); err != nil {
		t.Fatal(err)
	}
	return nodes
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not happen within %v", what, patience)
		}
	}
}

// leader waits until one of the running nodes leads.
func leader(t *testing.T, nodes []*node) *node {
	t.Helper()
	var found *node
	eventually(t, "a leader", func() bool {
		for _, n := range nodes {
			if n.raft != nil && n.raft.State() == raft.Leader && n.raft.VerifyLeader().Error() == nil {
				found = n
				return true
			}
		}
		return false
	})
	return found
}

// propose commits the numbers from low to high through whoever leads, with padding of size bytes each.
func propose(t *testing.T, nodes []*node, low, high uint64, size int) {
	t.Helper()
	l := leader(t, nodes)
	var futures []raft.ApplyFuture
	for i := low; i <= high; i++ {
		futures = append(futures, l.raft.Apply(append(binary.BigEndian.AppendUint64(nil, i), make([]byte, size)...), patience))
	}
	for i, f := range futures {
		if err := f.Error(); err != nil {
			t.Fatalf("proposal %d: %v", low+uint64(i), err)
		}
	}
}

// expectCount waits until all running nodes applied exactly the numbers 1 to count in their order.
func expectCount(t *testing.T, nodes []*node, count uint64) {
	t.Helper()
	for _, n := range nodes {
		if n.raft == nil {
			continue
		}
		eventually(t, fmt.Sprintf("%s applies %d", n.name, count), func() bool { return n.fsm.len() >= int(count) })
		n.fsm.mu.Lock()
		if len(n.fsm.numbers) != int(count) {
			t.Errorf("%s: applied %d, expected %d", n.name, len(n.fsm.numbers), count)
		}
		for i, number := range n.fsm.numbers {
			if number != uint64(i)+1 {
				t.Errorf("%s: expected %d at position %d, found %d", n.name, i+1, i, number)
				break
			}
		}
		n.fsm.mu.Unlock()
	}
}

func others(nodes []*node, one *node) []*node {
	var rest []*node
	for _, n := range nodes {
		if n != one {
			rest = append(rest, n)
		}
	}
	return rest
}

// TestThreeMembers takes three real members over loopback through what a cluster's life holds: an election, a load
// larger than a message, the death of the leader, its return, a follower that comes back after the log it needs is
// gone, and a transfer of leadership.
func TestThreeMembers(t *testing.T) {
	nodes := startCluster(t, 2*time.Second)
	propose(t, nodes, 1, 200, 32<<10) // 6 MiB
	expectCount(t, nodes, 200)

	dead := leader(t, nodes)
	dead.stop()
	propose(t, nodes, 201, 220, 10)
	expectCount(t, nodes, 220)

	l := leader(t, nodes)
	if err := l.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	propose(t, nodes, 221, 240, 10)
	dead.start() // its log ends long before the leader's begins
	expectCount(t, nodes, 240)
	if dead.raft.Stats()["last_snapshot_index"] == "0" {
		t.Error("the member that came back was to need the snapshot")
	}

	l = leader(t, nodes)
	eventually(t, "a transfer of leadership", func() bool {
		next := others(nodes, leader(t, nodes))[0]
		if leader(t, nodes).raft.LeadershipTransferToServer(next.id, next.member.address).Error() != nil {
			return false
		}
		return leader(t, nodes) != l
	})
	propose(t, nodes, 241, 260, 10)
	expectCount(t, nodes, 260)
}

// TestStallBelowTheLimit: writes of the log that each take a fifth of the election timeout cost no election, although
// heartbeats wait for them in raft's main loop.
func TestStallBelowTheLimit(t *testing.T) {
	nodes := startCluster(t, 2*time.Second)
	propose(t, nodes, 1, 10, 10)
	expectCount(t, nodes, 10)
	l := leader(t, nodes)
	term := l.raft.CurrentTerm()
	for _, n := range nodes {
		n.setStall(func() { time.Sleep(400 * time.Millisecond) })
	}
	for i := range uint64(3) {
		propose(t, nodes, 11+i, 11+i, 10)
	}
	for _, n := range nodes {
		n.setStall(nil)
	}
	expectCount(t, nodes, 13)
	if found := l.raft.CurrentTerm(); found != term {
		t.Errorf("stalled writes cost an election: the term went from %d to %d", term, found)
	}
}

// refusing counts what it is asked and gives no pre-vote.
type refusing struct {
	raftv1.UnimplementedRaftServiceServer
	preVotes, votes atomic.Int32
}

func (r *refusing) RequestPreVote(_ context.Context, m *raftv1.RequestPreVoteRequest) (*raftv1.RequestPreVoteResponse, error) {
	r.preVotes.Add(1)
	return &raftv1.RequestPreVoteResponse{Term: m.GetTerm()}, nil
}

func (r *refusing) RequestVote(_ context.Context, m *raftv1.RequestVoteRequest) (*raftv1.RequestVoteResponse, error) {
	r.votes.Add(1)
	return &raftv1.RequestVoteResponse{Term: m.GetTerm()}, nil
}

// TestPreVoteComesFirst: the library asks for pre-votes only where the transport offers it; a member that would not be
// elected must not raise the term, or it unseats the leader each time that its network comes back.
func TestPreVoteComesFirst(t *testing.T) {
	peer := &refusing{}
	id, address := scripted(t, "b", peer)
	n := &node{t: t, name: "a", dir: t.TempDir(), address: "127.0.0.1:0", timeout: 100 * time.Millisecond}
	n.start()
	t.Cleanup(n.stop)
	servers := []raft.Server{{ID: n.id, Address: n.member.address}, {ID: id, Address: address}}
	if err := n.raft.BootstrapCluster(raft.Configuration{Servers: servers}).Error(); err != nil {
		t.Fatal(err)
	}
	term := n.raft.CurrentTerm()
	eventually(t, "three pre-votes", func() bool { return peer.preVotes.Load() >= 3 })
	if votes, found := peer.votes.Load(), n.raft.CurrentTerm(); votes > 0 || found != term {
		t.Errorf("expected no vote and term %d, found %d votes and term %d", term, votes, found)
	}
}
