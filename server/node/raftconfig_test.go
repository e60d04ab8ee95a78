package node

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/transport"
)

// The raft library asks a transport at run time whether it can pre-vote, and goes without where it cannot.
var _ raft.WithPreVote = (*transport.Transport)(nil)

func testConfig(t *testing.T) config.Config {
	t.Helper()
	loaded, err := config.Load(config.Input{
		Flags:     map[string]string{"data_dir": t.TempDir(), "heartbeat_timeout": "100ms", "election_timeout": "100ms"},
		LookupEnv: func(string) (string, bool) { return "", false },
	})
	must(t, err)
	return loaded.Config
}

func TestRaftConfigIsValid(t *testing.T) {
	rc := raftConfig(testConfig(t), "a", hclog.NewNullLogger())
	must(t, raft.ValidateConfig(rc))
	if rc.PreVoteDisabled || !rc.BatchApplyCh || rc.ShutdownOnRemove || rc.LeaderLeaseTimeout > rc.HeartbeatTimeout {
		t.Fatalf("unsafe configuration %+v", rc)
	}
}

// TestRaftTakesNoSnapshots: its timer waits for up to twice the interval, and a wait that overflows ends at once.
func TestRaftTakesNoSnapshots(t *testing.T) {
	rc := raftConfig(testConfig(t), "a", hclog.NewNullLogger())
	if longest := 2 * rc.SnapshotInterval; longest < rc.SnapshotInterval || rc.SnapshotInterval < 365*24*time.Hour {
		t.Errorf("raft looks whether a snapshot is due after %v to %v", rc.SnapshotInterval, longest)
	}
}

// A follower that lacks hundreds of entries gets them in requests whose size is bounded even if each entry is as large
// as a proposal may be: raft itself counts entries and never weighs them.
func TestAppendsAreBounded(t *testing.T) {
	const entries, budget = 300, 16 << 20
	leader, follower := lonelyLeader(t), newDeafFollower(t)
	leader.transport.Connect(follower.address, follower.transport)

	for range entries {
		must(t, leader.raft.Apply([]byte("x"), time.Second).Error())
	}
	must(t, leader.raft.AddNonvoter("follower", follower.address, 0, time.Second).Error())
	for stored := uint64(0); stored < entries; {
		request := <-follower.appends
		stored = request.last
		if most := request.entries * proposal.MaxBytes; most > budget {
			t.Fatalf("a request has %d entries, which may be %d bytes; allowed are %d", request.entries, most, budget)
		}
	}
}

type member struct {
	raft      *raft.Raft
	transport *raft.InmemTransport
}

func lonelyLeader(t *testing.T) member {
	t.Helper()
	address, trans := raft.NewInmemTransport("")
	store := raft.NewInmemStore()
	elected := make(chan bool, 1)
	rc := raftConfig(testConfig(t), "leader", hclog.NewNullLogger())
	rc.NotifyCh = elected
	r, err := raft.NewRaft(rc, &raft.MockFSM{}, store, store, raft.NewInmemSnapshotStore(), trans)
	must(t, err)
	t.Cleanup(func() { must(t, r.Shutdown().Error()) })
	must(t, r.BootstrapCluster(raft.Configuration{Servers: []raft.Server{{ID: "leader", Address: address}}}).Error())
	<-elected
	return member{r, trans}
}

// deafFollower stores nothing and accepts everything.
type deafFollower struct {
	address   raft.ServerAddress
	transport *raft.InmemTransport
	appends   chan appended
}

// appended is one request: how many entries it had, and the last one that the follower now has.
type appended struct {
	entries int
	last    uint64
}

func newDeafFollower(t *testing.T) deafFollower {
	t.Helper()
	address, trans := raft.NewInmemTransport("")
	f := deafFollower{address, trans, make(chan appended)}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		f.serve(stop)
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
	})
	return f
}

func (f deafFollower) serve(stop chan struct{}) {
	last := uint64(0)
	for {
		select {
		case rpc := <-f.transport.Consumer():
			request, ok := rpc.Command.(*raft.AppendEntriesRequest)
			if !ok {
				rpc.Respond(nil, nil)
				continue
			}
			response := &raft.AppendEntriesResponse{Term: request.Term, LastLog: last, Success: request.PrevLogEntry <= last}
			entries := len(request.Entries)
			if entries > 0 && response.Success {
				last = request.Entries[entries-1].Index
				response.LastLog = last
			}
			rpc.Respond(response, nil) // The request is raft's again.
			select {
			case f.appends <- appended{entries, last}:
			case <-stop:
				return
			}
		case <-stop:
			return
		}
	}
}
