package importtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Without a majority nothing is acknowledged and nothing hangs, stale reads say how old they are, and when one member
// returns, writes go on.
func TestMajorityLost(t *testing.T) {
	c := startDev(t, "--no-restart")
	c.must("ledger", "create", "usd", "--asset", "USD", "--scale", "2")
	c.must("account", "create", "alice", "--ledger", "usd")
	c.must("credit", "alice", "100.00")

	// A follower applies what was acknowledged when it hears that it was: only then is a stale read of it certain.
	killed := c.waitForEqualDigests().Members[:2]
	for _, m := range killed {
		if err := syscall.Kill(m.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	c.until("the loss", func(s status) bool { return s.Leader == "" })

	for name, args := range map[string][]string{
		"a write":             {"credit", "alice", "1.00"},
		"a linearizable read": {"account", "get", "alice"},
		"the status":          {"status"},
	} {
		run := c.begin(append(args, "--timeout", "2s")...)
		code := run.exit()
		if code != 3 && !(code == 4 && name == "a write") {
			t.Errorf("%s exits with %d\n%s%s", name, code, run.out.String(), run.err.String())
		}
	}
	run := c.begin("account", "get", "alice", "--stale")
	if code := run.exit(); code != 0 || !strings.Contains(run.out.String(), "100.00") || !strings.Contains(run.err.String(), "last heard from a leader") {
		t.Errorf("a stale read: %d\n%s%s", code, run.out.String(), run.err.String())
	}

	back := exec.Command(filepath.Join(c.bin, "ballastd"), "run", "--config", filepath.Join(c.dir, "cluster", killed[0].Name, "ballastd.toml"))
	output, err := os.OpenFile(filepath.Join(c.dir, "cluster", killed[0].Name, "ballastd.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	back.Stdout, back.Stderr = output, output
	if err := back.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = back.Process.Signal(syscall.SIGTERM)
		_ = back.Wait() // its end is all that matters
	})
	c.must("credit", "alice", "5.00", "--id", "after", "--issued-at", time.Now().UTC().Format(time.RFC3339))
}
