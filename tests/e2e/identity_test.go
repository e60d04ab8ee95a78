package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
)

// endsRefused waits until a member ends by itself with 78, and its log says all of says.
func (b *bank) endsRefused(m *testcluster.Member, says ...string) {
	b.t.Helper()
	code, err := m.Wait(b.ctx())
	must(b.t, err)
	log, err := os.ReadFile(m.LogPath())
	must(b.t, err)
	last := log[max(0, len(log)-4<<10):]
	for _, text := range says {
		if !strings.Contains(string(last), text) {
			b.t.Errorf("the log of %s does not say %q", m.Name, text)
		}
	}
	if code != 78 || b.t.Failed() {
		b.t.Fatalf("%s ended with %d, want 78; the end of its log:\n%s", m.Name, code, last)
	}
}

// copyDir copies a directory as a backup of the disk would.
func copyDir(ctx context.Context, from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "cp", "-a", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy %s: %w\n%s", from, err, out)
	}
	return nil
}

// A disk that was rolled back to an older copy has forgotten what it promised: it does not come back, however often it is started.
func TestRolledBackDiskIsRefused(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	b.credit(4)
	back := b.followers()[0]
	must(t, back.Stop(b.ctx()))
	older := back.Dir + "/older"
	must(t, copyDir(b.ctx(), back.DataDir(), older))
	must(t, back.Start())
	b.credit(8)
	b.checkEqual()
	must(t, b.cluster.WaitHeard(b.ctx(), back))
	must(t, back.Kill())
	must(t, copyDir(b.ctx(), older, back.DataDir()))
	for range 2 {
		must(t, back.Start())
		b.endsRefused(back, "rolled back to an older copy", "ballast members remove "+back.Name, "ballastd init --data-dir")
	}
	b.credit(4)
	b.check()
}

// A member that was removed ends, whether it runs or was away meanwhile; the others go on.
func TestRemovedMemberIsRefused(t *testing.T) {
	b := openBank(t, testcluster.Options{Members: 4})
	program := ballastProgram(t)
	b.credit(4)
	followers := b.followers()
	running, away := followers[0], followers[1]
	wantBallast(b, program, 0, []string{"members", "remove", running.Name})
	b.endsRefused(running, "no longer a member", "ballast members add "+running.OperatorAddress)
	must(t, away.Kill())
	wantBallast(b, program, 0, []string{"members", "remove", away.Name})
	must(t, away.Start())
	b.endsRefused(away, "no longer a member", "mv "+away.DataDir())
	b.credit(4)
	b.check()
}

// Two of three disks are lost for good: the third goes on with all that it has, two new members join, and a member of the old history
// that comes back after all is refused.
func TestRecoveryFromALostMajority(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	program := ballastProgram(t)
	b.credit(8)
	b.checkEqual()
	last := client.NewCredit("account-0", 5)
	first, err := b.client.Submit(b.ctx(), last)
	must(t, err)
	b.expected["account-0"] += 5
	b.checkEqual()
	survivor := b.leader()
	lost := b.followers()
	old := lost[0].Dir + "/old"
	for _, m := range append(lost, survivor) {
		must(t, m.Kill())
	}
	must(t, copyDir(b.ctx(), lost[0].DataDir(), old))
	recover := []string{"cluster", "recover", "--config", survivor.Dir + "/ballastd.toml"}
	program = besideDaemon(b, program)

	// One that runs is not lost; without the phrase nothing happens; with it the survivor leads alone.
	must(t, lost[1].Start())
	must(t, lost[1].WaitAnswers(b.ctx()))
	wantBallast(b, program, 1, recover, lost[1].Name+" answers", "--compare")
	must(t, lost[1].Kill())
	recover = append(recover, "--compare", lost[1].DataDir())
	wantBallast(b, program, 1, recover, "What is lost", "given up", "nothing was changed")
	out, _ := ballast(b, program, recover...)
	_, phrase, found := strings.Cut(out, "--phrase \"")
	phrase, _, _ = strings.Cut(phrase, "\"")
	if !found {
		t.Fatal("it names no phrase")
	}
	wantBallast(b, program, 1, append(recover, "--phrase", "yes"), "nothing was changed")
	out, _ = ballast(b, program, append(recover, "--phrase", phrase)...)
	_, epoch, found := strings.Cut(out, "--recovery-epoch ")
	epoch, _, _ = strings.Cut(epoch, "\n")
	if !found {
		t.Fatal("it names no epoch")
	}
	must(t, survivor.Start())
	must(t, survivor.WaitAnswers(b.ctx()))
	must(t, testcluster.Until(b.ctx(), "the survivor serves", func(ctx context.Context) error {
		_, err := b.client.Account(ctx, "account-0")
		return err
	}))
	b.check()

	// Nobody comes back with an old disk, nor with a new one of the old epoch; with one of the new epoch, under the old names.
	must(t, lost[0].Start())
	b.endsRefused(lost[0], "from before a recovery", "--recovery-epoch "+epoch)
	for _, m := range lost {
		must(t, m.WipeTo(b.ctx(), epoch))
		must(t, m.Start())
		must(t, m.WaitAnswers(b.ctx()))
		wantBallast(b, program, 0, []string{"members", "add", m.OperatorAddress}, "votes")
	}
	b.check()
	again, err := b.client.Submit(b.ctx(), last)
	must(t, err)
	if !again[0].GetReplayed() || again[0].GetSequence() != first[0].GetSequence() {
		t.Fatalf("a retry from before the recovery: %v, first %v", again[0], first[0])
	}
	b.credit(4)
	b.checkEqual()
	b.check()

	must(t, lost[0].Kill())
	must(t, copyDir(b.ctx(), old, lost[0].DataDir()))
	must(t, lost[0].Start())
	b.endsRefused(lost[0], "from before a recovery", "--recovery-epoch "+epoch)
	b.credit(4)
	b.check()
}

// besideDaemon puts the program beside the ballastd of the cluster, where it looks for it.
func besideDaemon(b *bank, program string) string {
	b.t.Helper()
	dir := b.t.TempDir()
	must(b.t, os.Symlink(b.cluster.Binary(), dir+"/ballastd"))
	must(b.t, os.Rename(program, dir+"/ballast"))
	return dir + "/ballast"
}
