package testcluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const (
	// formTimeout bounds the start of a cluster in a test, building included.
	formTimeout = 2 * time.Minute
	// logLines of each member are shown when a test fails.
	logLines = 80
)

// Start makes a cluster in the test's temporary directory and forms it: the first member bootstraps, the others join
// and are promoted. When the test ends everything ends, and where it failed the members' logs are shown.
func Start(t testing.TB, options Options) *Cluster {
	t.Helper()
	if options.Dir == "" {
		options.Dir = t.TempDir()
	}
	ctx, cancel := context.WithTimeout(context.Background(), formTimeout)
	defer cancel()
	c, err := New(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.Logs(logLines))
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.StartAll(); err != nil {
		t.Fatal(err)
	}
	if err := c.Form(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// Form bootstraps the first member and joins the others but those of Options.Idle. All must run.
func (c *Cluster) Form(ctx context.Context) error {
	first := c.Member(1)
	if err := first.WaitAnswers(ctx); err != nil {
		return err
	}
	if _, err := first.Operator().Bootstrap(ctx, &ballastv1.BootstrapRequest{}); err != nil {
		return fmt.Errorf("bootstrap %s: %w", first.Name, err)
	}
	joined := len(c.Members) - c.options.Idle
	for _, m := range c.Members[1:joined] {
		if err := c.Join(ctx, m, m.Number <= joined-c.options.NonVoters); err != nil {
			return err
		}
	}
	_, err := c.WaitLeader(ctx)
	return err
}

// Join adds a member that runs and was not joined yet, and promotes it where asked.
func (c *Cluster) Join(ctx context.Context, m *Member, promote bool) error {
	if err := m.WaitAnswers(ctx); err != nil {
		return err
	}
	self, err := m.Status(ctx)
	if err != nil {
		return err
	}
	add := &ballastv1.AddMemberRequest{
		Id: self.Id, ClusterId: self.ClusterId,
		MemberAddress: m.MemberAddress, ClientAddress: m.ClientAddress, OperatorAddress: m.OperatorAddress,
		StayNonVoter: !promote,
	}
	err = c.askLeader(ctx, "add "+m.Name, func(ctx context.Context, leader ballastv1.OperatorServiceClient) error {
		_, err := leader.AddMember(ctx, add)
		return err
	})
	if err != nil || !promote {
		return err
	}
	return c.askLeader(ctx, "promote "+m.Name, func(ctx context.Context, leader ballastv1.OperatorServiceClient) error {
		_, err := leader.PromoteMember(ctx, &ballastv1.PromoteMemberRequest{Name: m.Name, AtOnce: true})
		return err
	})
}

// askLeader repeats a call to whoever leads while it fails for reasons that pass: no leader, not the leader, not caught
// up yet.
func (c *Cluster) askLeader(ctx context.Context, what string, call func(context.Context, ballastv1.OperatorServiceClient) error) error {
	return Until(ctx, what, func(ctx context.Context) error {
		leader, err := c.WaitLeader(ctx)
		if err != nil {
			return err
		}
		err = call(ctx, leader.Operator())
		switch status.Code(err) {
		case codes.OK, codes.FailedPrecondition, codes.Unavailable, codes.DeadlineExceeded:
			return err
		default:
			return Final(fmt.Errorf("%s: %w", what, err))
		}
	})
}
