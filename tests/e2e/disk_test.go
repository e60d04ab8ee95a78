package e2e

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ballastdb/ballast/internal/faults"
	"github.com/ballastdb/ballast/internal/testcluster"
)

// A member whose log cannot be written must end, say why in its last line, and come back with nothing lost.
func TestLogWriteErrorEndsTheProcess(t *testing.T) {
	// Its own log is a file too, and must stay below the limit that fails the raft log.
	b := openBank(t, testcluster.Options{Config: map[string]string{"log_level": "error"}})
	b.credit(4)
	leader := b.leader()
	// No write beyond the first bytes of any file succeeds from now on.
	limit := unix.Rlimit{Cur: 2048, Max: unix.RLIM_INFINITY}
	must(t, unix.Prlimit(leader.PID(), unix.RLIMIT_FSIZE, &limit, nil))
	b.credit(8)
	code, err := leader.Wait(b.ctx())
	must(t, err)
	if code != 1 {
		t.Fatalf("%s ended with %d, want 1", leader.Name, code)
	}
	out, err := os.ReadFile(leader.LogPath())
	must(t, err)
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if last := lines[len(lines)-1]; !bytes.Contains(last, []byte("fatal")) || !bytes.Contains(last, []byte("file too large")) {
		t.Fatalf("the last line of its log is %s", last)
	}
	must(t, leader.Start())
	b.checkEqual()
	b.check()
}

// A leader whose log disk hangs must end, say why in its last line, and leave the cluster to another one.
func TestHungLogEndsTheProcess(t *testing.T) {
	b := openBank(t, testcluster.Options{Config: map[string]string{"log_level": "error", "log_write_limit": "1s"}})
	b.credit(4)
	leader := b.leader()
	must(t, leader.SetFaults(faults.Faults{LogStall: time.Hour}))
	b.credit(8)
	code, err := leader.Wait(b.ctx())
	must(t, err)
	if code != 1 {
		t.Fatalf("%s ended with %d, want 1", leader.Name, code)
	}
	out, err := os.ReadFile(leader.LogPath())
	must(t, err)
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if last := lines[len(lines)-1]; !bytes.Contains(last, []byte("fatal")) || !bytes.Contains(last, []byte("not done within 1s")) {
		t.Fatalf("the last line of its log is %s", last)
	}
	must(t, b.cluster.Heal())
	must(t, leader.Start())
	b.checkEqual()
	b.check()
}

// A stall of the leader's log below the limit must cost no election.
func TestShortStallOfTheLogIsRiddenOut(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	b.credit(4)
	leader := b.leader()
	before, err := leader.Status(b.ctx())
	must(t, err)
	must(t, leader.SetFaults(faults.Faults{LogStall: 300 * time.Millisecond}))
	b.credit(5)
	must(t, b.cluster.Heal())
	after, err := b.leader().Status(b.ctx())
	must(t, err)
	if after.Term != before.Term {
		t.Fatalf("the term went from %d to %d", before.Term, after.Term)
	}
	b.checkEqual()
	b.check()
}

// A wiped disk under an old name is another member: it ends as soon as a majority has told it that its name is taken, nothing
// that it lacks is lost, and the commands that it names lead out.
func TestWipedMemberIsNotTakenForTheOldOne(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	program := ballastProgram(t)
	b.credit(4)
	wiped := b.followers()[0]
	must(t, wiped.Kill())
	must(t, wiped.Wipe(b.ctx()))
	must(t, wiped.Start())
	remove, add := []string{"members", "remove", wiped.Name}, []string{"members", "add", wiped.OperatorAddress}
	b.endsRefused(wiped, "another incarnation", "ballast "+strings.Join(remove, " "), "ballast "+strings.Join(add, " "))
	b.credit(8)
	b.check()
	wantBallast(b, program, 0, remove)
	must(t, wiped.Start())
	must(t, wiped.WaitAnswers(b.ctx()))
	wantBallast(b, program, 0, add, "votes")
	b.credit(4)
	b.checkEqual()
	b.check()
}
