package logstore

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// nothing is a state machine without a state.
type nothing struct{}

func (nothing) Apply(*raft.Log) any                 { return nil }
func (nothing) Snapshot() (raft.FSMSnapshot, error) { return nil, raft.ErrNothingNewToSnapshot }
func (nothing) Restore(r io.ReadCloser) error       { return r.Close() }

func configuration() raft.Configuration {
	return raft.Configuration{Servers: []raft.Server{{ID: "follower", Address: "follower"}, {ID: "leader", Address: "leader"}}}
}

// snapshotAt is a snapshot store with one snapshot.
func snapshotAt(t *testing.T, index, term uint64) *raft.InmemSnapshotStore {
	t.Helper()
	snapshots := raft.NewInmemSnapshotStore()
	if index == 0 {
		return snapshots
	}
	_, transport := raft.NewInmemTransport("maker")
	sink, err := snapshots.Create(raft.SnapshotVersionMax, index, term, configuration(), 1, transport)
	must(t, err)
	must(t, sink.Close())
	return snapshots
}

// newest are the hooks of a member that has applied what its newest snapshot covers.
func newest(snapshots *raft.InmemSnapshotStore) Hooks {
	at := func() (uint64, uint64) {
		list, err := snapshots.List()
		if err != nil || len(list) == 0 {
			return 0, 0
		}
		return list[0].Index, list[0].Term
	}
	return Hooks{Snapshot: at, Applied: func() uint64 { index, _ := at(); return index }}
}

// follower is raft itself on a store, and a leader to call it with.
type follower struct {
	t      *testing.T
	raft   *raft.Raft
	leader *raft.InmemTransport
	own    *raft.InmemTransport
	term   uint64
}

// startFollower fails where raft does not start, also where it panics.
func startFollower(t *testing.T, s *Store, snapshots raft.SnapshotStore, term uint64) (f *follower, err error) {
	t.Helper()
	f = &follower{t: t, term: term}
	_, f.own = raft.NewInmemTransport("follower")
	_, f.leader = raft.NewInmemTransport("leader")
	f.leader.Connect("follower", f.own)
	f.own.Connect("leader", f.leader)
	c := raft.DefaultConfig()
	c.LocalID, c.Logger = "follower", hclog.NewNullLogger()
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = time.Hour, time.Hour, time.Hour
	must(t, s.SetUint64([]byte(raftTerm), term))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("raft panicked: %v", p)
		}
	}()
	if f.raft, err = raft.NewRaft(c, nothing{}, s, s, snapshots, f.own); err != nil {
		return nil, err
	}
	t.Cleanup(func() { must(t, f.raft.Shutdown().Error()) })
	return f, nil
}

func (f *follower) header() raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("leader"), Addr: []byte("leader")}
}

// append sends entries and returns whether the follower took them.
func (f *follower) append(previous, previousTerm uint64, logs []*raft.Log) bool {
	f.t.Helper()
	var answer raft.AppendEntriesResponse
	must(f.t, f.leader.AppendEntries("follower", "follower", &raft.AppendEntriesRequest{
		RPCHeader: f.header(), Term: f.term, PrevLogEntry: previous, PrevLogTerm: previousTerm, Entries: logs,
	}, &answer))
	return answer.Success
}

func (f *follower) install(index, term uint64) {
	f.t.Helper()
	var answer raft.InstallSnapshotResponse
	const data = "state"
	must(f.t, f.leader.InstallSnapshot("follower", "follower", &raft.InstallSnapshotRequest{
		RPCHeader: f.header(), SnapshotVersion: raft.SnapshotVersionMax, Term: f.term, LastLogIndex: index, LastLogTerm: term,
		Configuration: raft.EncodeConfiguration(configuration()), ConfigurationIndex: 1, Size: int64(len(data)),
	}, &answer, strings.NewReader(data)))
	if !answer.Success {
		f.t.Fatal("the snapshot was not installed")
	}
}

// TestInstallLeavesNothingOfTheOldLog: after an install the old log, with entries that were never committed, is gone, and stays
// gone when the process dies before it was deleted from the file; and the log goes on right behind the snapshot.
func TestInstallLeavesNothingOfTheOldLog(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		dir, snapshots := t.TempDir(), snapshotAt(t, 0, 0)
		s := openTest(t, dir, kind)
		s.Attach(newest(snapshots))
		must(t, s.StoreLogs(entriesOf(1, 1, 12)))
		f, err := startFollower(t, s, snapshots, 2)
		must(t, err)
		f.install(30, 2)
		requireBounds(t, s, 0, 0)
		if !f.append(30, 2, entriesOf(2, 31, 33)) {
			t.Fatal("what follows the snapshot was rejected")
		}
		requireBounds(t, s, 31, 33)
		must(t, f.raft.Shutdown().Error())
		s = reopen(t, s, dir)
		requireBounds(t, s, 31, 33)
		must(t, s.Close())
	})
}

// TestRaftStartsBehindTheSnapshot: raft has compacted as far as it had applied, which is beyond the snapshot that it has:
// started again it needs what lies between, and does not find it where the wish was granted.
func TestRaftStartsBehindTheSnapshot(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		dir, snapshots := t.TempDir(), snapshotAt(t, 10, 1)
		s := openTest(t, dir, kind)
		s.Attach(Hooks{Applied: func() uint64 { return 18 }, Snapshot: newest(snapshots).Snapshot})
		must(t, s.StoreLogs(entries(1, 20)))
		must(t, s.DeleteRange(1, 15))
		s = reopen(t, s, dir)
		defer s.Close()
		if _, err := startFollower(t, s, snapshots, 2); err != nil {
			t.Fatal(err)
		}
		requireBounds(t, s, 10, 20)
	})
}

// TestLogGoesOnBehindTheSnapshot: a leader's append that follows the snapshot's entry is compared with the snapshot's term, also
// once the log begins right behind it. Rejected, the leader would offer the same snapshot again.
func TestLogGoesOnBehindTheSnapshot(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		dir, snapshots := t.TempDir(), snapshotAt(t, 30, 2)
		s := openTest(t, dir, kind)
		defer func() { must(t, s.Close()) }()
		s.Attach(newest(snapshots))
		must(t, s.StoreLogs(entriesOf(2, 31, 33)))
		f, err := startFollower(t, s, snapshots, 3)
		must(t, err)
		if !f.append(30, 2, entriesOf(2, 31, 33)) {
			t.Error("what follows the snapshot was rejected")
		}
		if f.append(30, 1, entriesOf(2, 31, 33)) {
			t.Error("an append was taken that follows an entry of another term than the snapshot's")
		}
		if f.append(29, 2, entriesOf(2, 30, 33)) {
			t.Error("an append was taken that follows an entry which is not known")
		}
		must(t, f.raft.Shutdown().Error())
	})
}

// TestNoSnapshotEntryInFrontOfTheFirst: what stands in for entry 1 would be shipped as an entry.
func TestNoSnapshotEntryInFrontOfTheFirst(t *testing.T) {
	s := openTest(t, t.TempDir(), Bolt)
	defer s.Close()
	s.Attach(hooks(1, 1, 1))
	must(t, s.StoreLogs(entries(2, 3)))
	if err := s.GetLog(1, new(raft.Log)); err == nil {
		t.Error("a made-up entry 1 was given")
	}
}

// TestConflictAtTheSnapshotIsCut: the log's entry at the index of the leader's snapshot has another term. Raft alone would
// install the snapshot, reject what follows, and be offered the snapshot again, for ever. Cut at the next open, the log takes
// the snapshot and what follows. Entries below, which may be committed, stay.
func TestConflictAtTheSnapshotIsCut(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		dir, snapshots := t.TempDir(), snapshotAt(t, 0, 0)
		s := openTest(t, dir, kind)
		must(t, s.StoreLogs(entriesOf(1, 1, 12)))
		if held, conflict, err := s.Holds(8, 2); held || !conflict || err != nil {
			t.Fatalf("expected a conflict at 8, found %v, %v, %v", held, conflict, err)
		}
		must(t, s.RequestCut(8, 2))
		s = reopen(t, s, dir)
		requireBounds(t, s, 1, 7)
		s.Attach(newest(snapshots))
		f, err := startFollower(t, s, snapshots, 2)
		must(t, err)
		f.install(8, 2)
		if !f.append(8, 2, entriesOf(2, 9, 10)) {
			t.Fatal("what follows the snapshot was rejected: it would be offered again, for ever")
		}
		must(t, f.raft.Shutdown().Error())
		// What was appended since is not cut once more.
		s = reopen(t, s, dir)
		requireBounds(t, s, 9, 10)
		must(t, s.Close())
	})
}

// TestCutSparesWhatIsNoLongerInConflict: the leader has mended the log before the process ended.
func TestCutSparesWhatIsNoLongerInConflict(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		dir := t.TempDir()
		s := openTest(t, dir, kind)
		must(t, s.StoreLogs(entriesOf(1, 1, 12)))
		must(t, s.RequestCut(8, 2))
		s.Attach(hooks(7, 0, 0))
		must(t, s.DeleteRange(8, 12))
		must(t, s.StoreLogs(entriesOf(2, 8, 20)))
		s = reopen(t, s, dir)
		requireBounds(t, s, 1, 20)
		if held, conflict, err := s.Holds(8, 2); !held || conflict || err != nil {
			t.Fatalf("expected entry 8 of term 2, found %v, %v, %v", held, conflict, err)
		}
		must(t, s.Close())
	})
}
