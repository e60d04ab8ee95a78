package e2e

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

type operation = ballastv1.Operation

func TestLeaderKilledWritesGoOn(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	b.credit(20)
	leader := b.leader()
	must(t, leader.Kill())
	b.credit(20)
	if now := b.leader(); now == leader {
		t.Fatalf("%s leads and was killed", leader.Name)
	}
	must(t, leader.Start())
	b.checkEqual()
	b.check()
}

func TestMajorityLostNothingHangsAndStaleReadsSayTheirAge(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	b.credit(8)
	b.checkEqual()
	others := b.followers()
	for _, m := range others {
		must(t, m.Kill())
	}

	for range 3 { // While the leader still believes in itself, and after.
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_, err := b.client.Credit(ctx, "account-0", 1)
		if !unavailable(err) || ctx.Err() == nil && err == nil {
			t.Fatalf("a write without a majority ended with %v", err)
		}
		if deadline, _ := ctx.Deadline(); time.Since(deadline) > time.Second {
			t.Fatalf("a write outlived its deadline by %v", time.Since(deadline))
		}
		if _, err := b.client.Account(ctx, "account-0"); err == nil {
			t.Fatal("a linearizable read was served without a majority")
		}
		cancel()
	}
	stale, err := b.client.Accounts(b.ctx(), []string{"account-1"}, client.Stale())
	must(t, err)
	if len(stale.Accounts) != 1 || stale.Accounts[0].Posted != b.expected["account-1"] {
		t.Fatalf("stale read %v, want %d", stale, b.expected["account-1"])
	}
	if state := stale.State; !state.Stale || state.Index == 0 || state.Age == 0 {
		t.Fatalf("a stale read must say index and age, got %v", state)
	}

	must(t, others[0].Start())
	b.leader()
	// Credits whose outcome was unknown may have taken effect: only what follows is certain.
	delete(b.expected, "account-0")
	b.expected["account-3"] += 5
	_, err = b.client.Credit(b.ctx(), "account-3", 5)
	must(t, err)
	b.check()
	must(t, others[1].Start())
	b.checkEqual()
}

func TestAllStoppedAndStartedAgain(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	b.credit(12)
	must(t, b.cluster.StopAll(b.ctx()))
	must(t, b.cluster.StartAll())
	b.leader()
	b.check()
	b.credit(4)
	for _, m := range b.cluster.Members {
		must(t, m.Kill())
	}
	must(t, b.cluster.StartAll())
	b.leader()
	b.check()
	b.checkEqual()
}

func TestLeaderStoppedInOrderHandsOver(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	b.credit(4)
	b.checkEqual()
	leader := b.leader()
	before, err := leader.Status(b.ctx())
	must(t, err)
	must(t, leader.Stop(b.ctx()))
	now := b.leader()
	after, err := now.Status(b.ctx())
	must(t, err)
	if after.Term != before.Term+1 {
		t.Fatalf("handing over took the term from %d to %d; an election by timeout may take more, a hand-over takes one", before.Term, after.Term)
	}
	b.credit(4)
	must(t, leader.Start())
	b.checkEqual()
	b.check()
}

// A member that was away while the log was cut gets a snapshot.
func TestLaggingMemberGetsASnapshot(t *testing.T) {
	b := openBank(t, testcluster.Options{Config: map[string]string{"log_level": "debug"}})
	_, err := b.client.Operator().SetSettings(b.ctx(), &ballastv1.Settings{LogRetentionTime: durationpb.New(time.Second)})
	must(t, err)
	lagging := b.followers()[0]
	must(t, lagging.Kill())
	away, err := b.leader().Status(b.ctx())
	must(t, err)
	b.bulk(150, 10) // more entries than the append has that is waiting for the member
	index, err := b.client.Operator().TakeSnapshot(b.ctx())
	must(t, err)
	if index <= away.LastLogIndex {
		t.Fatalf("a snapshot is taken at %d, and the log was at %d before", index, away.LastLogIndex)
	}
	leader := b.leader()
	must(t, testcluster.Until(b.ctx(), "the leader has cut its log", func(context.Context) error {
		return firstIndexAbove(leader, away.LastLogIndex)
	}))
	must(t, lagging.Start())
	b.credit(4)
	b.checkEqual()
	b.check()
	logged, err := os.ReadFile(lagging.LogPath())
	must(t, err)
	if !bytes.Contains(logged, []byte("Installed remote snapshot")) {
		t.Fatal("it caught up by the log, not by a snapshot")
	}

	// What was installed must hold over a restart too.
	must(t, lagging.Kill())
	must(t, lagging.Start())
	b.checkEqual()
}

// A member that cannot reach the others must not raise the term: it asks before it seeks votes.
func TestIsolatedMemberDoesNotDisturb(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	alone := b.followers()[0]
	must(t, b.cluster.Isolate(alone))
	before, err := alone.Status(b.ctx())
	must(t, err)
	must(t, testcluster.Until(b.ctx(), "the member seeks votes", func(ctx context.Context) error {
		return lostLeader(ctx, alone)
	}))
	b.credit(8)
	// Seeking votes it asks first, and without a majority's word it does not raise its term. How the others' term moves
	// meanwhile is their own affair: on a busy machine they may hold an election.
	after, err := alone.Status(b.ctx())
	must(t, err)
	if after.Term != before.Term {
		t.Fatalf("cut off from everybody, its term went from %d to %d", before.Term, after.Term)
	}
	must(t, b.cluster.Heal())
	b.checkEqual()
	b.check()
}

// A member that does not vote has everything, and its vote is not missed.
func TestNonVoterFollows(t *testing.T) {
	b := openBank(t, testcluster.Options{Members: 4, NonVoters: 1})
	b.credit(8)
	b.checkEqual()
	nonVoter := b.cluster.Member(4)
	s, err := nonVoter.Status(b.ctx())
	must(t, err)
	roles := map[string]ballastv1.Role{}
	for _, m := range s.Members {
		roles[m.Name] = m.Role
	}
	if len(roles) != 4 || roles[nonVoter.Name] != ballastv1.Role_ROLE_NON_VOTER {
		t.Fatalf("the members are %v", s.Members)
	}
	// With two voters of three gone, the non-voter does not make a majority.
	for _, m := range b.followers() {
		if m != nonVoter {
			must(t, m.Kill())
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := b.client.Credit(ctx, "account-0", 1); !unavailable(err) {
		t.Fatalf("a write by one voter of three ended with %v", err)
	}
}
