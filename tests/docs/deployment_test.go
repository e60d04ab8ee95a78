// Package docs runs what the documentation tells people to type.
package docs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ballastdb/ballast/internal/docblocks"
)

// blocks are those of docs/deployment.md, and the top of the source tree.
func blocks(t *testing.T) (found []docblocks.Block, root string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/deployment.md"))
	if err != nil {
		t.Fatal(err)
	}
	return docblocks.Of(string(page)), root
}

// TestDeploymentPageNamesItsPlaces: tests/lab runs the blocks on hosts, where it can; that each can be run somewhere, and is
// shell, is seen everywhere.
func TestDeploymentPageNamesItsPlaces(t *testing.T) {
	places := []string{docblocks.Workstation, docblocks.Trial, "node-1", "node-2", "node-3"}
	found, root := blocks(t)
	for _, b := range found {
		if len(b.Places) == 0 {
			t.Errorf("the page does not say where this is run:\n%s", b.Text)
		}
		for _, place := range b.Places {
			if !slices.Contains(places, place) {
				t.Errorf("a block is run on %q; places are %v", place, places)
			}
		}
		run(t, root, nil, "bash", "-nc", b.Text)
	}
}

// TestDeploymentTrial runs the block for one machine as it stands, but for the addresses: another loopback network, so that
// nothing else on the machine is met. Then money moves, and everybody stops in order.
func TestDeploymentTrial(t *testing.T) {
	found, root := blocks(t)
	trial := slices.IndexFunc(found, func(b docblocks.Block) bool { return slices.Contains(b.Places, docblocks.Trial) })
	if trial < 0 {
		t.Fatal("no block for one machine")
	}
	bin, dir := t.TempDir(), t.TempDir()
	run(t, root, nil, "go", "build", "-o", bin+"/", "./cmd/ballast", "./cmd/ballastd")
	script := "set -eu\ntrap 'kill $(jobs -p); wait' EXIT\n"
	script += found[trial].Text
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
