package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
)

// nextVersion is the build tag of a program that applies one more cluster version (fsm/version_next.go).
const nextVersion = "nextversion"

// TestClusterVersion: it is raised only when every member's program goes along, never lowered, and a program that does not know
// it ends with exit code 78 instead of going on, whether it meets it in the log or in its snapshot.
func TestClusterVersion(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	b.credit(20)
	b.raiseRefused("node-1 applies versions up to 1", "node-2 applies", "node-3 applies")
	for _, m := range b.cluster.Members[:2] {
		b.program(m, nextVersion)
	}
	old := b.cluster.Member(3)
	b.raiseRefused("node-3 applies versions up to 1 (program ")
	must(t, old.Stop(b.ctx()))
	b.raiseRefused("node-3 applies versions up to 1 as far as it told before, and does not answer")

	b.program(old, nextVersion)
	b.leader()
	must(t, testcluster.Until(b.ctx(), "the cluster version is raised", func(ctx context.Context) error {
		before, after, err := b.client.Operator().RaiseClusterVersion(ctx, 0)
		if err == nil && (before != 1 || after != 2) {
			err = testcluster.Final(fmt.Errorf("raised from %d to %d", before, after))
		}
		return err // the leader may not have heard from the member that has just come back
	}))
	if _, _, err := b.client.Operator().RaiseClusterVersion(b.ctx(), 1); !refusedWith(err, "can only be raised") {
		t.Fatalf("lowered: %v", err)
	}
	b.credit(20)
	b.checkEqual()

	victim := b.followers()[0]
	b.outdated(victim) // the command is in its log
	b.credit(20)
	b.program(victim, nextVersion)
	b.checkEqual()
	_, err := b.client.Operator().TakeSnapshot(b.ctx())
	must(t, err)
	b.checkEqual()
	b.outdated(victim) // or in its snapshot
	b.program(victim, nextVersion)
	b.checkEqual()
	b.check()
}

// program restarts a member with another build and waits until it has caught up.
func (b *bank) program(m *testcluster.Member, tags ...string) {
	b.t.Helper()
	if m.Running() {
		must(b.t, m.Stop(b.ctx()))
	}
	must(b.t, m.Program(b.ctx(), tags...))
	must(b.t, m.Start())
	must(b.t, testcluster.Until(b.ctx(), m.Name+" has caught up", func(ctx context.Context) error { return caughtUp(ctx, b.cluster, m) }))
}

// outdated restarts a member with a program that is too old.
func (b *bank) outdated(m *testcluster.Member) {
	b.t.Helper()
	must(b.t, m.Stop(b.ctx()))
	must(b.t, m.Program(b.ctx()))
	must(b.t, m.Start())
	code, err := m.Wait(b.ctx())
	must(b.t, err)
	log, err := os.ReadFile(m.LogPath())
	must(b.t, err)
	if code != 78 || !strings.Contains(string(log), "this program is too old for its cluster") {
		b.t.Fatalf("%s ended with exit code %d, want 78 and a reason; its log is %s", m.Name, code, m.LogPath())
	}
}

func (b *bank) raiseRefused(says ...string) {
	b.t.Helper()
	must(b.t, testcluster.Until(b.ctx(), "the raise is refused", func(ctx context.Context) error {
		_, _, err := b.client.Operator().RaiseClusterVersion(ctx, 2)
		switch {
		case refusedWith(err, says...):
			return nil
		case hasCode(err, codes.Unavailable): // leadership has just moved
			return err
		}
		return testcluster.Final(fmt.Errorf("raised: %w, want a refusal that says %q", err, says))
	}))
}

func refusedWith(err error, says ...string) bool {
	for _, text := range says {
		if err == nil || !strings.Contains(err.Error(), text) {
			return false
		}
	}
	return hasCode(err, codes.FailedPrecondition)
}

func hasCode(err error, code codes.Code) bool {
	var status *client.StatusError
	return errors.As(err, &status) && status.Code == code
}
