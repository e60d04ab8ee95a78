package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ballastdb/ballast/internal/testcluster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// ballast runs a command line of the built program against the cluster, and returns what it printed and its exit code.
func ballast(b *bank, program string, args ...string) (string, int) {
	b.t.Helper()
	cmd := exec.CommandContext(b.ctx(), program, args...)
	cmd.Env = append(cmd.Environ(), "BALLAST_ENDPOINTS="+strings.Join(b.cluster.Endpoints(), ","))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatal(err)
	}
	b.t.Logf("ballast %s: exit %d\n%s", strings.Join(args, " "), cmd.ProcessState.ExitCode(), out)
	return string(out), cmd.ProcessState.ExitCode()
}

// wantBallast runs one that must end with code and say all of says.
func wantBallast(b *bank, program string, code int, args []string, says ...string) {
	b.t.Helper()
	out, got := ballast(b, program, args...)
	for _, text := range says {
		if !strings.Contains(out, text) {
			b.t.Errorf("ballast %s does not say %q", strings.Join(args, " "), text)
		}
	}
	if got != code {
		b.t.Fatalf("ballast %s ended with %d, want %d", strings.Join(args, " "), got, code)
	}
}

// rolesAre waits until the members have the roles, by number from 1: "v" voter, "n" non-voter, "-" none.
func (b *bank) rolesAre(want string) {
	b.t.Helper()
	must(b.t, testcluster.Until(b.ctx(), "the roles are "+want, func(ctx context.Context) error {
		leader, err := b.cluster.WaitLeader(ctx)
		if err != nil {
			return err
		}
		s, err := leader.Status(ctx)
		if err != nil {
			return err
		}
		got := ""
		for _, m := range b.cluster.Members {
			role := "-"
			for _, listed := range s.GetMembers() {
				if listed.GetName() == m.Name && listed.GetRole() == ballastv1.Role_ROLE_VOTER {
					role = "v"
				} else if listed.GetName() == m.Name {
					role = "n"
				}
			}
			got += role
		}
		if got != want {
			return fmt.Errorf("they are %s", got)
		}
		return nil
	}))
}

// A member that was added is promoted by the leader itself, one that is to stay a non-voter by command only; a voter is not
// removed where too few would remain; one member takes another's place, also where the command is repeated.
func TestMembersByCommand(t *testing.T) {
	b := openBank(t, testcluster.Options{Members: 5, Idle: 2})
	program := ballastProgram(t)
	b.credit(8)
	fourth, fifth := b.cluster.Member(4), b.cluster.Member(5)
	must(t, fourth.WaitAnswers(b.ctx()))
	must(t, fifth.WaitAnswers(b.ctx()))
	wantBallast(b, program, 0, []string{"members", "add", fourth.OperatorAddress, "--non-voter"}, fourth.Name+" is caught up", "non-voter")
	wantBallast(b, program, 0, []string{"members", "list"}, "non-voter (stays)", fourth.OperatorAddress, "serving")
	wantBallast(b, program, 0, []string{"members", "add", fifth.OperatorAddress}, "promotes it once it has kept up", "voter")
	b.rolesAre("vvvnv")
	wantBallast(b, program, 0, []string{"members", "promote", fourth.Name}, "voter")
	b.rolesAre("vvvvv")

	// Of five, two are silent: without a third that answers, two of four would remain.
	silent := b.followers()[:2]
	for _, m := range silent {
		must(t, m.Kill())
	}
	third := b.answering()
	wantBallast(b, program, 1, []string{"members", "remove", third.Name}, "only 2 of the 4", "--force", "a restart is always safe")
	wantBallast(b, program, 0, []string{"members", "remove", silent[0].Name}, "removed")
	must(t, silent[1].Start())
	b.credit(4)
	b.check()

	// The leader's place is taken by the one that was removed, with a new data directory under its old name.
	must(t, silent[0].Wipe(b.ctx()))
	must(t, silent[0].Start())
	must(t, silent[0].WaitAnswers(b.ctx()))
	leader := b.leader()
	for range 2 {
		wantBallast(b, program, 0, []string{"members", "replace", leader.Name, silent[0].OperatorAddress}, "in the place of "+leader.Name)
	}
	wantBallast(b, program, 1, []string{"members", "replace", fourth.Name, fifth.OperatorAddress}, "is a member already")
	wantBallast(b, program, 1, []string{"members", "replace", "nobody", leader.OperatorAddress}, `no member "nobody"`)
	b.credit(4)
	b.check()
	wantBallast(b, program, 0, []string{"settings", "set", "id_window=2h"})
	wantBallast(b, program, 0, []string{"settings", "history"}, "id_window", "168h0m0s", "2h0m0s", "development")
}

// answering is a voter that answers and does not lead.
func (b *bank) answering() *testcluster.Member {
	b.t.Helper()
	for _, m := range b.followers() {
		if m.Running() {
			return m
		}
	}
	b.t.Fatal("no follower answers")
	return nil
}

// ballastProgram builds cmd/ballast, once for a test.
func ballastProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ballast")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../cmd/ballast").CombinedOutput(); err != nil {
		t.Fatalf("build ballast: %v\n%s", err, out)
	}
	return path
}
