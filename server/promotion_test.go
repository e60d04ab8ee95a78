package server

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/fsm/roster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// TestPromotionByItself tells one story: who keeps up is promoted, once it has for long enough; who falls behind begins
// anew; who was added to stay a non-voter stays one; and a new leader begins anew.
func TestPromotionByItself(t *testing.T) {
	r, peers := newFakeRaft(), &fakePeers{known: map[string]func() (Progress, error){}}
	known := fakeRoster{idB: rosterMember(idB)}
	var promoted []string
	var refuse error
	p := NewPromotion(PromotionConfig{
		Raft: r, Roster: known, Peers: peers, Logger: hclog.NewNullLogger(), Stable: time.Minute,
		Promote: func(_ context.Context, name string) error { promoted = append(promoted, name); return refuse },
	})
	r.with(func(r *fakeRaft) {
		r.configuration.Servers = append(r.configuration.Servers, voter(idA), nonVoter(idB), nonVoter(idC))
		r.commit = 1000
	})
	start := time.Now().Add(-time.Hour)
	look := func(after time.Duration, want ...string) {
		t.Helper()
		promoted = nil
		p.look(testContext(t), start.Add(after))
		if !slices.Equal(promoted, want) {
			t.Fatalf("after %s: promoted %q, want %q", after, promoted, want)
		}
	}
	// Since reaches from the look to the present: these looks lie an hour back, so that one look is enough for stability.
	look(0)
	peers.says(idB, 5, 10)
	look(time.Second)
	if err := p.Steady(idB); err == nil || !strings.Contains(err.Error(), "not caught up") {
		t.Fatalf("a member that is behind is steady: %v", err)
	}
	p.note(idB, time.Now(), nil)
	if err := p.Steady(idB); err == nil || !strings.Contains(err.Error(), "of 1m") {
		t.Fatalf("a member that keeps up since a moment is steady: %v", err)
	}
	p.note(idB, time.Now(), errors.New("behind"))
	peers.says(idB, 5, 1000)
	peers.says(idC, 5, 1000) // announced by nobody: it is being added
	look(2*time.Second, "b")
	refuse = errors.New("another change is under way")
	look(3*time.Second, "b")
	if p.Steady(idB) == nil {
		t.Fatal("a member whose promotion failed is not watched anew")
	}
	m := rosterMember(idB)
	m.StayNonVoter = true
	known[idB] = m
	look(4 * time.Second)
	if p.Steady(idB) != nil {
		t.Fatal("a member that stays a non-voter is not watched")
	}
	r.with(func(r *fakeRaft) { r.term = 6 })
	peers.says(idB, 5, 1000)
	look(5 * time.Second)
	if p.Steady(idB) == nil {
		t.Fatal("what the leader of an earlier term saw counts")
	}
}

type fakeRoster map[string]roster.Member

func (f fakeRoster) Member(id string) (roster.Member, bool) {
	m, ok := f[id]
	return m, ok
}

// A member is promoted by command when it has kept up for a while, or at once where that is asked for; then it is no
// longer one that stays a non-voter.
func TestPromoteWaitsUntilStable(t *testing.T) {
	m := newMember(t, nil)
	m.steady = errors.New("kept up for 1s of 5s")
	stay := addRequest(idB)
	stay.StayNonVoter = true
	if _, err := m.operator.AddMember(testContext(t), stay); err != nil {
		t.Fatal(err)
	}
	if got, _ := m.fsm.Member(idB); !got.StayNonVoter {
		t.Fatalf("the wish is not kept: %+v", got)
	}
	m.servers(voter(idA), nonVoter(idB))
	m.peers.says(idB, 5, 1000)
	promote := func(atOnce bool) error {
		_, err := m.operator.PromoteMember(testContext(t), &ballastv1.PromoteMemberRequest{Name: "b", AtOnce: atOnce})
		return err
	}
	wantOperator(t, promote(false), codes.FailedPrecondition, "not stable yet", "1s of 5s")
	if err := promote(true); err != nil {
		t.Fatal(err)
	}
	if got, _ := m.fsm.Member(idB); got.StayNonVoter || got.MemberAddress == "" {
		t.Errorf("after its promotion: %+v", got)
	}
}
