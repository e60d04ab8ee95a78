// Package docs runs what the documentation tells people to type.
package docs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDeploymentPage runs every block of docs/deployment.md, in order and as it stands, but for the addresses: another
// loopback network, so that nothing else on the machine is met. Then money moves, and everybody stops in order.
func TestDeploymentPage(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/deployment.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 4 {
		t.Fatalf("the page has %d blocks of commands, want 4", len(blocks))
	}
	bin, dir := t.TempDir(), t.TempDir()
	run(t, root, nil, "go", "build", "-o", bin+"/", "./cmd/ballast", "./cmd/ballastd")
	script := "set -eu\ntrap 'kill $(jobs -p); wait' EXIT\n"
	for i, b := range blocks {
		script += b[1]
		if i == 2 { // a person takes longer to go on than a member to listen
			script += "for i in 1 2 3; do until (exec 3<>/dev/tcp/127.0.0.1$i/7421) 2>/dev/null; do sleep 0.1; done; done\n"
		}
	}
	script += "ballast ledger create usd --asset USD --scale 2\nballast account create alice --ledger usd\nballast credit alice 5\n" +
		"kill $(jobs -p); wait; trap - EXIT\n"
	network := fmt.Sprintf("127.%d.%d.1", 1+rand.IntN(250), rand.IntN(250))
	script = strings.ReplaceAll(script, "127.0.0.1", network)
	out := run(t, dir, []string{"PATH=" + bin + ":" + os.Getenv("PATH")}, "bash", "-c", script)
	for _, want := range []string{"3 of 3 voters answer", "5.00"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output does not say %q:\n%s", want, out)
		}
	}
	for i := 1; i <= 3; i++ {
		log, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("host-%d/ballastd.log", i)))
		if err != nil || !strings.Contains(string(log), "stopped in order") {
			t.Errorf("member %d did not stop in order: %v\n%s", i, err, log)
		}
	}
}

// run runs a program and whatever it starts, all of which end with it or with the test.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}
