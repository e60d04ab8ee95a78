package node

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/metrics"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// visit answers a page of a member's operator address.
func visit(t *testing.T, address, path string) (int, string) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get("http://" + address + path)
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer.StatusCode, string(text)
}

// waitPage waits until a page answers with this code.
func waitPage(t *testing.T, address, path string, want int) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		code, text := visit(t, address, path)
		if code == want {
			return text
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s answers %d %q, want %d", path, code, text, want)
		}
	}
}

// A member that waits for a cluster lives and is not ready; once it leads one it is ready, and its metrics say what it did.
func TestPagesOfAMember(t *testing.T) {
	c := initialised(t, "127.114.0.9")
	r := start(t, c)
	r.status(t) // it is up
	if code, text := visit(t, c.OperatorAddress, "/livez"); code != http.StatusOK {
		t.Errorf("live: %d %q", code, text)
	}
	if code, text := visit(t, c.OperatorAddress, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "waiting for a cluster") {
		t.Errorf("ready: %d %q", code, text)
	}
	_, err := ballastv1.NewOperatorServiceClient(r.conn).Bootstrap(t.Context(), &ballastv1.BootstrapRequest{})
	must(t, err)
	must(t, r.submit(t, &ballastv1.Operation{Kind: &ballastv1.Operation_CreateLedger{CreateLedger: &ballastv1.CreateLedger{Name: "usd", Asset: "USD", Scale: 6}}}))
	if text := waitPage(t, c.OperatorAddress, "/readyz", http.StatusOK); text != "ready\n" {
		t.Errorf("ready: %q", text)
	}
	_, text := visit(t, c.OperatorAddress, "/metrics")
	known := map[string]bool{}
	for _, d := range metrics.Definitions() {
		known[d.Name] = true
	}
	for _, line := range strings.Split(text, "\n") {
		name, isType := strings.CutPrefix(line, "# TYPE ballast_")
		if name, _, _ = strings.Cut(name, " "); isType && !known["ballast_"+name] {
			t.Errorf("ballast_%s is not in docs/metrics.md", name)
		}
	}
	for _, want := range []string{
		`ballast_raft_state{state="leader"} 1`, `ballast_phase{phase="serving"} 1`, "ballast_raft_leader_known 1", `ballast_members{role="voter"} 1`,
		`ballast_calls_total{code="OK",method="/ballast.v1.MoneyService/Submit"} 1`, "ballast_request_seconds_count 1", "ballast_disk_writable 1",
		"ballast_apply_entries_count", "ballast_lag_entries 0",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in the metrics", want)
		}
	}
	if s := r.status(t); s.Phase != ballastv1.Phase_PHASE_SERVING || s.Disk.GetFreeBytes() == 0 || s.Lag == nil {
		t.Errorf("the status says %v", s)
	}
	r.end(t)
	if rest, _ := filepath.Glob(filepath.Join(c.DataDir, ".probe*")); len(rest) > 0 {
		t.Errorf("left behind: %v", rest)
	}
}

func TestDiskProbeTellsWhatIsWrong(t *testing.T) {
	d := newDiskProbe(t.TempDir())
	if f := d.facts(); f.Writable {
		t.Errorf("before the first trial: %+v", f)
	}
	d.try()
	if f := d.facts(); !f.Writable || f.Problem != "" {
		t.Errorf("a good disk: %+v", f)
	}
	d.begun, d.limit = time.Now().Add(-time.Minute), time.Second // a write that hangs
	if f := d.facts(); f.Writable || !strings.Contains(f.Problem, "not come back") {
		t.Errorf("a hung disk: %+v", f)
	}
	must(t, os.RemoveAll(d.dir))
	d.try()
	if f := d.facts(); f.Writable || !strings.Contains(f.Problem, "no such file") {
		t.Errorf("no disk: %+v", f)
	}
}

// Only a pulse that is missed for long is a process that hangs, and one that is felt again is not.
func TestLivenessNeedsTime(t *testing.T) {
	var err error
	l := &liveness{alive: func(context.Context) error { return err }, logger: hclog.NewNullLogger(), tick: time.Second, limit: time.Minute, last: time.Now()}
	err = errors.New("raft's main loop does not answer")
	l.feel(t.Context())
	if p := l.problems(); len(p) > 0 {
		t.Errorf("once missed: %q", p)
	}
	l.last = time.Now().Add(-2 * time.Minute)
	if p := l.problems(); len(p) != 1 || !strings.Contains(p[0], "raft's main loop does not answer, for 2m0s") {
		t.Errorf("missed for long: %q", p)
	}
	err = nil
	l.feel(t.Context())
	if p := l.problems(); len(p) > 0 {
		t.Errorf("felt again: %q", p)
	}
}
