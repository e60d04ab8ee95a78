package node

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/internal/diskspace"
	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
	"github.com/ballastdb/ballast/transport"
)

// The other two of three members, by the addresses at which survivor puts them.
const (
	secondAddress = "127.114.0.254:7411"
	thirdAddress  = "127.114.0.254:7412"
)

// serveCensus is another member, of which only this is there: what it answers.
func serveCensus(t *testing.T, cluster uuid.UUID, address string, answer func() *raftv1.CensusResponse) {
	t.Helper()
	incarnation := uuid.New()
	tr, err := transport.New(transport.Config{
		Identity: transport.Identity{ClusterID: cluster, Incarnation: incarnation}, LocalID: transport.ServerID("x", incarnation),
		LocalAddress: raft.ServerAddress(address), Logger: hclog.NewNullLogger(), Stager: refuser{}, CurrentTerm: func() uint64 { return 0 },
		Census: func(*raftv1.CensusRequest) *raftv1.CensusResponse { return answer() },
	})
	must(t, err)
	l, err := net.Listen("tcp", address)
	must(t, err)
	s := grpc.NewServer(transport.ServerOptions(0)...)
	tr.Register(s)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		must(t, errors.Join(<-served, tr.Close()))
	})
}

// answersOf are those of the second and third member, each with the same configuration.
func answersOf(epoch, index uint64, remembered *raftv1.CensusMemory, members ...*raftv1.CensusMember) [2]*raftv1.CensusResponse {
	var both [2]*raftv1.CensusResponse
	for i := range both {
		both[i] = &raftv1.CensusResponse{
			RecoveryEpoch: epoch, Id: members[i].GetId(), ConfigurationIndex: index, Committed: true, Members: members, Remembered: remembered,
		}
	}
	return both
}

func listed(id, address string) *raftv1.CensusMember {
	return &raftv1.CensusMember{Id: []byte(id), Address: []byte(address), Voter: true}
}

// withoutBoot leaves out what a start writes before it asks anybody: the count of openings, the room that is held, the audit log.
func withoutBoot(c map[string][32]byte) map[string][32]byte {
	for path := range c {
		if base := filepath.Base(path); base == "boot" || base == diskspace.FileName || filepath.Base(filepath.Dir(path)) == auditDir {
			delete(c, path)
		}
	}
	return c
}

// As soon as a majority of the others says so, a member is refused before raft runs, with what was expected, what was found and the commands
// that lead out, and nothing is written but the count of openings; where only one of them says so, it starts.
func TestRefusedByTheOthers(t *testing.T) {
	old, fresh := survivor(t, "127.114.0.24", 1), initialised(t, "127.114.0.25")
	second, third := listed("node-2/"+uuid.NewString(), secondAddress), listed("node-3/"+uuid.NewString(), thirdAddress)
	successor := listed("node-1/"+uuid.NewString(), "127.114.0.253:7411")
	startsAndStops(t, old) // it notes where the others are
	for _, row := range []struct {
		name    string
		of      config.Config
		answers [2]*raftv1.CensusResponse
		problem datadir.Problem
		says    []string
	}{
		{
			"removed", old, answersOf(0, 1000, nil, second, third), datadir.Removed,
			[]string{"as of log index 1000", "mv " + old.DataDir, "ballastd init --data-dir", "ballast members add " + old.OperatorAddress},
		},
		{
			"the old disk of a member that has a new one", old, answersOf(0, 1000, nil, second, third, successor), datadir.Replaced,
			[]string{strings.TrimPrefix(string(successor.GetId()), "node-1/"), "--name OTHER_NAME"},
		},
		{
			"a wiped disk under an old name", fresh, answersOf(0, 1000, nil, second, third, successor), datadir.Replaced,
			[]string{"disk not mounted?", "ballast members remove node-1", "ballast members add " + fresh.OperatorAddress},
		},
		{
			"an address that is another member's", fresh, answersOf(0, 1000, nil, second, third, listed("node-9/"+uuid.NewString(), fresh.MemberAddress)),
			datadir.AddressTaken,
			[]string{"member_address " + fresh.MemberAddress, "ballast members remove node-9"},
		},
		{
			"rolled back: boots", old, answersOf(0, 3, &raftv1.CensusMemory{Boots: 90}, second, third, own(t, old)), datadir.RolledBack,
			[]string{"opening 90", "never let it vote", "ballast members remove node-1"},
		},
		{
			"rolled back: log", old, answersOf(0, 3, &raftv1.CensusMemory{AppliedIndex: 5000}, second, third, own(t, old)), datadir.RolledBack,
			[]string{"log index 5000"},
		},
		{
			"before a recovery", old, answersOf(7<<32, 1000, nil, second, third), datadir.LeftBehind,
			[]string{"recovery epoch 30064771072", "--recovery-epoch 30064771072"},
		},
		{
			"made for the cluster before a recovery", fresh, answersOf(7<<32, 1000, nil, second, third), datadir.LeftBehind,
			[]string{"--recovery-epoch 30064771072"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			cluster := clusterOf(t, row.of)
			serveCensus(t, cluster, secondAddress, func() *raftv1.CensusResponse { return row.answers[0] })
			if row.problem != datadir.RolledBack { // one that remembers is enough for that
				t.Run("says one", func(t *testing.T) { startsAndStops(t, row.of) })
			}
			if row.of.DataDir == fresh.DataDir {
				note(t, fresh) // as one that was told by who takes it for another
			}
			before, boots := withoutBoot(contents(t, row.of.DataDir)), bootsOf(t, row.of)
			serveCensus(t, cluster, thirdAddress, func() *raftv1.CensusResponse { return row.answers[1] })
			err := Run(t.Context(), Options{Config: row.of, Logger: hclog.NewNullLogger(), Fatal: func(error) {}})
			if !isRefused(err, row.problem) {
				t.Fatalf("got %v, want %q", err, row.problem)
			}
			for _, text := range append(row.says, "expected", "found", "to go on") {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("it does not say %q: %v", text, err)
				}
			}
			after := withoutBoot(contents(t, row.of.DataDir))
			if len(after) != len(before) {
				t.Errorf("%d files, then %d", len(before), len(after))
			}
			for path, sum := range before {
				if after[path] != sum {
					t.Errorf("%s was written", path)
				}
			}
			if counted := bootsOf(t, row.of) - boots; counted > 1 || row.problem == datadir.RolledBack && counted != 0 {
				t.Errorf("%d openings were counted", counted)
			}
		})
	}
}

// startsAndStops runs a member until it answers, and stops it.
func startsAndStops(t *testing.T, c config.Config) {
	t.Helper()
	r := start(t, c)
	r.status(t)
	must(t, r.conn.Close())
	r.stop()
	must(t, <-r.ended)
}

func clusterOf(t *testing.T, c config.Config) uuid.UUID {
	t.Helper()
	d, err := datadir.Look(c.DataDir)
	must(t, err)
	defer func() { must(t, d.Close()) }()
	return d.Identity().ClusterID
}

func bootsOf(t *testing.T, c config.Config) uint64 {
	t.Helper()
	d, err := datadir.Look(c.DataDir)
	must(t, err)
	defer func() { must(t, d.Close()) }()
	return d.Boots()
}

// own is how others list the member.
func own(t *testing.T, c config.Config) *raftv1.CensusMember {
	t.Helper()
	d, err := datadir.Look(c.DataDir)
	must(t, err)
	defer func() { must(t, d.Close()) }()
	return listed(string(serverID(d.Identity())), c.MemberAddress)
}

// note notes where the others are, as a member that was told of them does.
func note(t *testing.T, c config.Config) {
	t.Helper()
	d, err := datadir.Look(c.DataDir)
	must(t, err)
	defer func() { must(t, d.Close()) }()
	must(t, d.WritePeers([]datadir.Peer{
		{ID: string(transport.ServerID("node-2", uuid.New())), Address: secondAddress},
		{ID: string(transport.ServerID("node-3", uuid.New())), Address: thirdAddress},
	}))
}

// A member that runs is judged as soon as the others can be asked.
func TestRefusedWhileRunning(t *testing.T) {
	c := survivor(t, "127.114.0.26", 1)
	second, third := listed("node-2/"+uuid.NewString(), secondAddress), listed("node-3/"+uuid.NewString(), thirdAddress)
	r := start(t, c)
	r.status(t)
	answers := answersOf(0, 1000, nil, second, third)
	serveCensus(t, clusterOfRunning(t, r), secondAddress, func() *raftv1.CensusResponse { return answers[0] })
	serveCensus(t, clusterOfRunning(t, r), thirdAddress, func() *raftv1.CensusResponse { return answers[1] })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	select {
	case err := <-r.ended:
		if !isRefused(err, datadir.Removed) {
			t.Errorf("got %v", err)
		}
	case <-ctx.Done():
		t.Error("it runs on")
		r.stop()
		must(t, <-r.ended)
	}
	must(t, r.conn.Close())
}

func clusterOfRunning(t *testing.T, r *running) uuid.UUID {
	t.Helper()
	id, err := uuid.Parse(r.status(t).GetClusterId())
	must(t, err)
	return id
}
