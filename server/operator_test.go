package server

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/upkeep"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func addRequest(id string) *ballastv1.AddMemberRequest {
	m := rosterMember(id)
	return &ballastv1.AddMemberRequest{
		Id: id, ClusterId: testCluster, MemberAddress: m.MemberAddress, ClientAddress: m.ClientAddress,
		OperatorAddress: m.OperatorAddress,
	}
}

// servers replaces the configuration.
func (m *member) servers(list ...raft.Server) {
	m.raft.with(func(r *fakeRaft) { r.configuration.Servers = list; r.configIndex = 33 })
}

func (m *member) changes() string {
	return get(m.raft, func() string { return fmt.Sprint(m.raft.changes) })
}

func wantOperator(t *testing.T, err error, code codes.Code, says ...string) {
	t.Helper()
	failureOf(t, err, code)
	for _, part := range says {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

func TestAddMemberMakesANonVoterAndAnnouncesIt(t *testing.T) {
	m := newMember(t, nil)
	r, err := m.operator.AddMember(testContext(t), addRequest(idB))
	if err != nil || r.GetIndex() != 77 {
		t.Fatalf("got %v, %v", r, err)
	}
	if got, _ := m.fsm.Member(idB); got != rosterMember(idB) {
		t.Errorf("announced %+v", got)
	}
	m.servers(voter(idA), nonVoter(idB))
	if r, err = m.operator.AddMember(testContext(t), addRequest(idB)); err != nil || r.GetIndex() != 33 {
		t.Errorf("again: got %v, %v, want the configuration as it is", r, err)
	}
	if got := m.changes(); got != "[non-voter "+idB+"]" {
		t.Errorf("changes are %s", got)
	}
}

func TestAddMemberRefusesConflicts(t *testing.T) {
	m := newMember(t, nil)
	if _, err := m.operator.AddMember(testContext(t), addRequest(idB)); err != nil {
		t.Fatal(err)
	}
	m.servers(voter(idA), nonVoter(idB))
	wiped := addRequest("b/6f6f5c2e-1f53-4bb6-a3a7-00000000000f")
	wiped.MemberAddress, wiped.ClientAddress, wiped.OperatorAddress = "n:1", "n:2", "n:3"
	_, err := m.operator.AddMember(testContext(t), wiped)
	wantOperator(t, err, codes.AlreadyExists, "name", idB, "remove")
	for field, change := range map[string]func(*ballastv1.AddMemberRequest){
		"member_address":   func(r *ballastv1.AddMemberRequest) { r.MemberAddress = rosterMember(idB).MemberAddress },
		"client_address":   func(r *ballastv1.AddMemberRequest) { r.ClientAddress = rosterMember(idB).ClientAddress },
		"operator_address": func(r *ballastv1.AddMemberRequest) { r.OperatorAddress = rosterMember(idA).OperatorAddress },
	} {
		r := addRequest(idC)
		change(r)
		_, err := m.operator.AddMember(testContext(t), r)
		wantOperator(t, err, codes.AlreadyExists, field)
	}
	recovered := addRequest(idC)
	recovered.RecoveryEpoch = 7
	_, err = m.operator.AddMember(testContext(t), recovered)
	wantOperator(t, err, codes.FailedPrecondition, "recovery_epoch", "of epoch 0", "for 7")
	foreign := addRequest(idC)
	foreign.ClusterId = "another"
	_, err = m.operator.AddMember(testContext(t), foreign)
	wantOperator(t, err, codes.FailedPrecondition, testCluster, "another")
	for _, id := range []string{"", "c", "c/", "/6f6f5c2e-1f53-4bb6-a3a7-00000000000c", "c/6F6F5C2E-1f53-4bb6-a3a7-00000000000c"} {
		r := addRequest(idC)
		r.Id = id
		_, err := m.operator.AddMember(testContext(t), r)
		wantOperator(t, err, codes.InvalidArgument, "id")
	}
	noPort := addRequest(idC)
	noPort.ClientAddress = "localhost"
	_, err = m.operator.AddMember(testContext(t), noPort)
	wantOperator(t, err, codes.InvalidArgument, "client_address", "localhost")
}

// A member that was bootstrapped by itself keeps what it applied when this cluster's log is written over its own.
func TestAddMemberRefusesOneWithAnotherHistory(t *testing.T) {
	m := newMember(t, nil)
	knows := func(members ...raft.ServerID) {
		m.peers.known[idB] = func() (Progress, error) {
			return Progress{ID: idB, Term: 2, LastIndex: 9, Applied: 9, Members: members, NewestVersion: fsm.FirstVersion}, nil
		}
	}
	knows(idB)
	_, err := m.operator.AddMember(testContext(t), addRequest(idB))
	wantOperator(t, err, codes.FailedPrecondition, "another cluster", "new data directory")
	if got := m.changes(); got != "[]" {
		t.Errorf("changes are %s", got)
	}
	knows(idA, idB) // removed from this cluster once: its log is of the same history
	if _, err := m.operator.AddMember(testContext(t), addRequest(idB)); err != nil {
		t.Error(err)
	}
}

// The guard "AddVoter": raft counts a new voter at once, so it must have the log before.
func TestPromoteOnlyWhenCaughtUp(t *testing.T) {
	m := newMember(t, nil)
	m.servers(voter(idA), nonVoter(idB))
	m.raft.with(func(r *fakeRaft) { r.commit = 1000 })
	for name, says := range map[string]func(){
		"unreachable":    func() {},
		"behind":         func() { m.peers.says(idB, 5, 1000-maxLag-1) },
		"in an old term": func() { m.peers.says(idB, 4, 1000) },
		"another's data": func() {
			m.peers.known[idB] = func() (Progress, error) { return Progress{ID: idC, Term: 5, LastIndex: 1000, Applied: 1000}, nil }
		},
		"log there, not applied": func() {
			m.peers.known[idB] = func() (Progress, error) { return Progress{ID: idB, Term: 5, LastIndex: 1000, Applied: 10}, nil }
		},
	} {
		says()
		_, err := m.operator.PromoteMember(testContext(t), &ballastv1.PromoteMemberRequest{Name: "b"})
		if err == nil {
			t.Fatalf("a member that is %s was promoted", name)
		}
		wantOperator(t, err, codes.FailedPrecondition, "not caught up")
	}
	m.peers.says(idB, 5, 1000)
	if _, err := m.operator.PromoteMember(testContext(t), &ballastv1.PromoteMemberRequest{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	if got := m.changes(); got != "[voter "+idB+"]" {
		t.Errorf("changes are %s", got)
	}
	m.servers(voter(idA), voter(idB))
	if r, err := m.operator.PromoteMember(testContext(t), &ballastv1.PromoteMemberRequest{Name: "b"}); err != nil || r.GetIndex() != 33 {
		t.Errorf("again: got %v, %v, want the configuration as it is", r, err)
	}
	_, err := m.operator.PromoteMember(testContext(t), &ballastv1.PromoteMemberRequest{Name: "x"})
	wantOperator(t, err, codes.NotFound, `"x"`)
}

func TestRemoveMemberKeepsASafeMajority(t *testing.T) {
	m := newMember(t, nil)
	for _, id := range []string{idB, idC} {
		if _, err := m.operator.AddMember(testContext(t), addRequest(id)); err != nil {
			t.Fatal(err)
		}
	}
	m.servers(voter(idA), voter(idB), voter(idC))
	remove := func(name string, force bool) error {
		_, err := m.operator.RemoveMember(testContext(t), &ballastv1.RemoveMemberRequest{Name: name, Force: force})
		return err
	}
	// Without b, a and c remain, and c does not answer: 1 of 2.
	wantOperator(t, remove("b", false), codes.FailedPrecondition, "only 1 of the 2", "majority is 2", "c does not tell how far it is", "remove it instead", "--force removes b")
	wantOperator(t, remove("a", true), codes.FailedPrecondition, "transfer leadership first")
	wantOperator(t, remove("x", false), codes.NotFound)
	m.peers.says(idC, 5, 10)
	if err := remove("b", false); err != nil {
		t.Fatal(err)
	}
	// One that answers and is far behind commits nothing.
	m.raft.with(func(r *fakeRaft) { r.commit, r.last = 1000, 1000 })
	wantOperator(t, remove("b", false), codes.FailedPrecondition, "only 1 of the 2", "entry 10 of 1000")
	m.raft.with(func(r *fakeRaft) { r.commit, r.last = 10, 10 })
	if _, ok := m.fsm.Member(idB); ok {
		t.Error("the addresses of a removed member are still announced")
	}
	if err := remove("c", true); err != nil {
		t.Fatal(err)
	}
	if got := m.changes(); !strings.HasSuffix(got, "remove "+idB+" remove "+idC+"]") {
		t.Errorf("changes are %s", got)
	}
}

func TestMembershipFailures(t *testing.T) {
	m := newMember(t, nil)
	for _, c := range []struct {
		err     error
		index   uint64
		code    codes.Code
		outcome ballastv1.Outcome
	}{
		{errors.New("configuration changed since 3 (latest is 4)"), 0, codes.Unavailable, isNotDone},
		{raft.ErrLeadershipLost, 9, codes.Unavailable, isUnknown},
	} {
		m.raft.with(func(r *fakeRaft) {
			r.change = func(string, raft.ServerID) *fakeFuture { f := newFuture(); f.fail(c.err, c.index); return f }
		})
		_, err := m.operator.AddMember(testContext(t), addRequest(idB))
		if f := failureOf(t, err, c.code); f.GetOutcome() != c.outcome {
			t.Errorf("%v: outcome is %v, want %v", c.err, f.GetOutcome(), c.outcome)
		}
	}
	m.raft.with(func(r *fakeRaft) { r.state, r.leader = raft.Follower, voter(idB) })
	_, err := m.operator.AddMember(testContext(t), addRequest(idB))
	if hint := failureOf(t, err, codes.FailedPrecondition).GetLeader(); hint.GetName() != "b" {
		t.Errorf("hint is %v", hint)
	}
}

// transferTo makes raft hand over at once.
func (m *member) transferTo(id string) {
	m.raft.with(func(r *fakeRaft) {
		r.change = func(string, raft.ServerID) *fakeFuture {
			m.raft.with(func(r *fakeRaft) { r.state, r.leader = raft.Follower, voter(id) })
			f := newFuture()
			f.succeed(0, nil)
			return f
		}
	})
}

func (m *member) transfer(t *testing.T, name string) (string, error) {
	t.Helper()
	r, err := m.operator.TransferLeadership(testContext(t), &ballastv1.TransferLeadershipRequest{Name: name})
	return r.GetName(), err
}

func TestTransferToTheFurthestVoter(t *testing.T) {
	m := newMember(t, nil)
	m.servers(voter(idA), voter(idB), voter(idC), nonVoter("d/6f6f5c2e-1f53-4bb6-a3a7-00000000000d"))
	_, err := m.transfer(t, "")
	wantOperator(t, err, codes.FailedPrecondition, "no other voter")
	_, err = m.transfer(t, "a")
	wantOperator(t, err, codes.FailedPrecondition, "leads already")
	_, err = m.transfer(t, "d")
	wantOperator(t, err, codes.FailedPrecondition, "does not vote")
	_, err = m.transfer(t, "x")
	wantOperator(t, err, codes.NotFound)
	last := m.raft.LastIndex()
	m.peers.says(idB, 5, last-1)
	m.peers.says(idC, 5, last)
	m.transferTo(idC)
	if name, err := m.transfer(t, ""); err != nil || name != "c" {
		t.Errorf("handed over to %q, %v, want c", name, err)
	}
	if got := m.changes(); got != "[transfer "+idC+"]" {
		t.Errorf("changes are %s", got)
	}
	_, err = m.transfer(t, "b")
	wantOperator(t, err, codes.FailedPrecondition, "does not lead")
}

// The guard "#696": a transfer to a peer that is busy can leave the leader refusing all writes, so raft is not asked
// for one unless the peer has the whole log.
func TestTransferOnlyToACaughtUpVoter(t *testing.T) {
	m := newMember(t, nil)
	m.servers(voter(idA), voter(idB))
	m.raft.with(func(r *fakeRaft) { r.commit, r.last = 1000, 1000 })
	m.peers.says(idB, 5, 10)
	m.transferTo(idB)
	_, err := m.transfer(t, "b")
	if err == nil {
		t.Fatal("leadership was handed to a peer that is far behind")
	}
	wantOperator(t, err, codes.FailedPrecondition, "not caught up")
	if got := m.changes(); got != "[]" {
		t.Errorf("raft was asked: %s", got)
	}
}

func TestTransferWaitsForWhatIsInFlightAndHoldsTheRest(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice")
	m.servers(voter(idA), voter(idB))
	last := m.raft.LastIndex()
	m.peers.says(idB, 5, last)
	m.raft.with(func(r *fakeRaft) { r.respond = nil })

	var calls sync.WaitGroup
	defer calls.Wait()
	submit := func(id string) <-chan error {
		done := make(chan error, 1)
		calls.Go(func() {
			_, err := m.money.Submit(testContext(t), &ballastv1.SubmitRequest{Operations: []*ballastv1.Operation{credit(id, "alice", 1)}})
			done <- err
		})
		return done
	}
	before := submit("before")
	inFlight := receive(t, "the proposal in flight", m.raft.proposals)
	asked := make(chan struct{})
	m.raft.with(func(r *fakeRaft) {
		r.change = func(string, raft.ServerID) *fakeFuture { close(asked); return answered(errors.New("timeout")) }
	})
	transferred := make(chan error, 1)
	calls.Go(func() { _, err := m.transfer(t, "b"); transferred <- err })
	eventually(t, "proposals are held", func() bool {
		m.coalescer.flight.mu.Lock()
		defer m.coalescer.flight.mu.Unlock()
		return m.coalescer.flight.holds == 1
	})
	after := submit("after")
	eventually(t, "a request waits", func() bool { return m.coalescer.waiting() == 1 })
	_, err := m.transfer(t, "b")
	wantOperator(t, err, codes.Unavailable, "another transfer")
	select {
	case <-asked:
		t.Fatal("raft was asked with a proposal in flight")
	default:
	}
	inFlight.fail(raft.ErrLeadershipLost, 9)
	receive(t, "raft is asked", asked)
	wantOperator(t, receive(t, "the transfer", transferred), codes.Unavailable, "timeout")
	// The failed transfer gives way: what waited is proposed; a new transfer must wait.
	receive(t, "the held proposal", m.raft.proposals).fail(raft.ErrNotLeader, 0)
	if f := failureOf(t, receive(t, "before", before), codes.Unavailable); f.GetOutcome() != isUnknown {
		t.Errorf("what was in flight ended %v, want unknown", f.GetOutcome())
	}
	if f := failureOf(t, receive(t, "after", after), codes.FailedPrecondition); f.GetOutcome() != isNotDone {
		t.Errorf("what was held ended %v, want not done", f.GetOutcome())
	}
	_, err = m.transfer(t, "b")
	wantOperator(t, err, codes.Unavailable, "a moment ago")
}

func TestSettings(t *testing.T) {
	m := newMember(t, nil)
	share, rate := uint32(20), uint64(1<<20)
	r, err := m.operator.SetSettings(testContext(t), &ballastv1.SetSettingsRequest{Settings: &ballastv1.Settings{
		IdWindow: durationpb.New(time.Hour), RefusedSharePercent: &share, LogRetentionTime: durationpb.New(time.Minute), TransferRate: &rate,
	}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.operator.GetSettings(testContext(t), &ballastv1.GetSettingsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*ballastv1.Settings{r.GetSettings(), got.GetSettings()} {
		if s.GetIdWindow().AsDuration() != time.Hour || s.GetRefusedSharePercent() != 20 ||
			s.GetLogRetentionTime().AsDuration() != time.Minute || s.GetTransferRate() != rate ||
			s.GetBackfillRate() != upkeep.Default().BackfillRate || s.GetMaxTransfers() != 1 ||
			s.GetIdBudgetBytes() != ledger.DefaultSettings().IDBudgetBytes ||
			s.GetCheckpointInterval() != ledger.DefaultSettings().CheckpointInterval {
			t.Errorf("settings are %v", s)
		}
	}
	zero, zero64, huge := uint32(0), uint64(0), upkeep.Default().SnapshotMaxLogBytes+1
	for field, s := range map[string]*ballastv1.Settings{
		"id_window":             {IdWindow: durationpb.New(-time.Hour)},
		"id_budget_bytes":       {IdBudgetBytes: &zero64},
		"refused_share_percent": {RefusedSharePercent: &zero},
		"checkpoint_interval":   {CheckpointInterval: &zero},
		"log_retention_bytes":   {LogRetentionBytes: &zero64},
		"log_retention_time":    {LogRetentionTime: durationpb.New(time.Millisecond)},
		"log_pin_bytes":         {LogPinBytes: &zero64},
		"snapshot_min":          {SnapshotMinLogBytes: &huge},
		"snapshot_max":          {SnapshotMaxLogBytes: &zero64},
		"max_transfers":         {MaxTransfers: &zero},
		"transfer_rate":         {TransferRate: &zero64},
		"backfill_rate":         {BackfillRate: &zero64},
		"settings":              {},
	} {
		_, err := m.operator.SetSettings(testContext(t), &ballastv1.SetSettingsRequest{Settings: s})
		wantOperator(t, err, codes.InvalidArgument, field)
	}
}

func TestStatus(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice")
	m.terms.step(testContext(t), time.Now())
	m.terms.step(testContext(t), time.Now().Add(time.Hour)) // at rest: a checkpoint
	m.servers(voter(idA), nonVoter(idB))
	s, err := m.operator.Status(testContext(t), &ballastv1.StatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	applied, _ := m.fsm.Applied()
	if s.GetName() != "a" || s.GetId() != idA || s.GetClusterId() != testCluster || s.GetPid() != 4711 ||
		s.GetIncarnation() != "6f6f5c2e-1f53-4bb6-a3a7-00000000000a" || s.GetTerm() != 5 || s.GetLeader() != "a" ||
		s.GetAppliedIndex() != applied || s.GetJournalLength() != 2 || s.GetClusterVersion() == 0 ||
		s.GetRaftState() != ballastv1.RaftState_RAFT_STATE_LEADER || s.GetEffectiveWindow() == nil ||
		len(s.GetCheckpoints()) != 1 || len(s.GetCheckpoints()[0].GetDigest()) != 16 {
		t.Errorf("status is %v", s)
	}
	if ms := s.GetMembers(); len(ms) != 2 || ms[0].GetClientAddress() != rosterMember(idA).ClientAddress ||
		ms[1].GetRole() != ballastv1.Role_ROLE_NON_VOTER {
		t.Errorf("members are %v", ms)
	}
	for _, c := range []struct {
		change func(*fakeRaft)
		says   string
	}{
		{func(*fakeRaft) {}, "leads 2 members in term 5"},
		{func(r *fakeRaft) { r.state, r.leader = raft.Follower, voter(idB) }, "follows b"},
		{func(r *fakeRaft) { r.leader = raft.Server{} }, "heard from none"},
		{func(r *fakeRaft) { r.contact = time.Now().Add(-time.Minute) }, "heard from one 1m"},
		{func(r *fakeRaft) { r.configuration.Servers = nil }, "belongs to no cluster"},
	} {
		m.raft.with(c.change)
		if s, err = m.operator.Status(testContext(t), &ballastv1.StatusRequest{}); err != nil || !strings.Contains(s.GetState(), c.says) {
			t.Errorf("state is %q, %v, want %q", s.GetState(), err, c.says)
		}
	}
}

func TestBootstrap(t *testing.T) {
	m := newMember(t, nil)
	if _, err := m.operator.Bootstrap(testContext(t), &ballastv1.BootstrapRequest{}); err != nil {
		t.Fatal(err)
	}
	if got := m.changes(); got != "[bootstrap "+idA+"]" {
		t.Errorf("changes are %s", got)
	}
	m.raft.with(func(r *fakeRaft) {
		r.change = func(string, raft.ServerID) *fakeFuture { return answered(raft.ErrCantBootstrap) }
	})
	_, err := m.operator.Bootstrap(testContext(t), &ballastv1.BootstrapRequest{})
	wantOperator(t, err, codes.FailedPrecondition, "state already")
}
