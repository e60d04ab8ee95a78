package docs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPlan makes a plan of three loopback addresses, twice, and runs the commands of its READMEs in order.
func TestPlan(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bin, dir := t.TempDir(), t.TempDir()
	run(t, root, nil, "go", "build", "-o", bin+"/", "./cmd/ballast", "./cmd/ballastd")
	env := []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	network := fmt.Sprintf("127.%d.%d.", 1+rand.IntN(250), rand.IntN(250))
	plan := func() string {
		run(t, dir, env, filepath.Join(bin, "ballast"), "cluster", "plan", "--in-place", "--name", "bank", "--hosts", network+"1,"+network+"2,"+network+"3", "--out", "plan")
		return run(t, dir, env, "sh", "-c", "find plan -type f | sort | xargs sha256sum")
	}
	first := plan()
	if again := plan(); again != first || strings.Count(first, "\n") != 23 {
		t.Fatalf("a second run changed what is there:\n%s\n%s", first, again)
	}
	if err := os.Remove(filepath.Join(dir, "plan/bank-2/ballastd.toml")); err != nil {
		t.Fatal(err)
	}
	if again := plan(); again != first {
		t.Fatalf("what was missing was not made as it was:\n%s\n%s", first, again)
	}
	script := "set -eu\ntrap 'kill $(jobs -p); wait' EXIT\n"
	for i, folder := range []string{"bank-1", "bank-2", "bank-3", "operator"} {
		page, err := os.ReadFile(filepath.Join(dir, "plan", folder, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		blocks := regexp.MustCompile("(?s)~~~sh\n(.*?)~~~").FindAllStringSubmatch(string(page), -1)
		if len(blocks) != 1 {
			t.Fatalf("%s: %d blocks of commands, want 1", folder, len(blocks))
		}
		script += "cd " + filepath.Join(dir, "plan", folder) + "\n" + blocks[0][1]
		if i < 3 { // a person takes longer to go on than a member to listen
			script += fmt.Sprintf("until (exec 3<>/dev/tcp/%s%d/7421) 2>/dev/null; do sleep 0.1; done\n", network, i+1)
		}
	}
	out := run(t, dir, env, "bash", "-c", script+"kill $(jobs -p); wait; trap - EXIT\n")
	if !strings.Contains(out, "3 of 3 voters answer") {
		t.Errorf("the cluster was not formed:\n%s", out)
	}
}
