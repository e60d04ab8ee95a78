package testcluster

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// victimDir is set where this test binary plays a test process that is killed.
const victimDir = "BALLAST_TESTCLUSTER_VICTIM_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		beVictim(dir)
	}
	os.Exit(m.Run())
}

// beVictim starts a member, tells its process id, and waits to be killed.
func beVictim(dir string) {
	c, err := New(context.Background(), Options{Members: 1, Dir: dir})
	if err == nil {
		err = c.StartAll()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(c.Member(1).PID())
	select {}
}

// A test that dies must not leave processes behind.
func TestMembersEndWithTheTest(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	victim := exec.CommandContext(ctx, os.Args[0])
	victim.Env = append(os.Environ(), victimDir+"="+t.TempDir())
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, convErr := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || convErr != nil {
		t.Fatalf("the test process said %q (%v)", line, err)
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := victim.Wait(); err == nil {
		t.Fatal("a killed process ended well")
	}
	err = Until(ctx, "the member has ended", func(context.Context) error {
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			return fmt.Errorf("process %d is still there (%v)", pid, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUntilEndsAtOnceWhereNothingCanBeHopedFor(t *testing.T) {
	lost := fmt.Errorf("lost")
	looks := 0
	err := Until(t.Context(), "it is found", func(context.Context) error {
		looks++
		return Final(lost)
	})
	if err == nil || looks != 1 {
		t.Fatalf("got %v after %d looks", err, looks)
	}
}
