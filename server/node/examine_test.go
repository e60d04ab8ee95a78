package node

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ballastdb/ballast/config"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// A member that leads itself alone looks at its disk and configuration, tells what its program writes, and sends what helps to find a fault.
func TestExamineAndCollect(t *testing.T) {
	c := initialised(t, "127.114.0.27")
	values := []config.Value{{Key: "log_level", Text: "info", Origin: "default"}, {Key: "tls_key", Text: "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n", Origin: "file x"}}
	configured := func() ([]config.Value, []config.Value, error) {
		return values, []config.Value{{Key: "log_level", Text: "warn"}, values[1]}, nil
	}
	r := startWith(t, c, func(o *Options) {
		o.Configured, o.RecentLog = configured, func() []byte { return []byte("a line\n") }
	})
	r.status(t)
	operator := ballastv1.NewOperatorServiceClient(r.conn)
	_, err := operator.Bootstrap(t.Context(), &ballastv1.BootstrapRequest{})
	must(t, err)
	x, err := operator.Examine(t.Context(), &ballastv1.ExamineRequest{})
	must(t, err)
	if d := x.GetDisk(); d.GetWrites() == 0 || d.GetProblem() != "" || d.GetMedian().AsDuration() <= 0 || d.GetSlowest().AsDuration() < d.GetMedian().AsDuration() {
		t.Errorf("its disk: %v", d)
	}
	if x.GetName() != "node-1" || len(x.GetFormats()) < 5 || x.GetStarted() == 0 || len(x.GetReaches()) != 0 || len(x.GetCertificates()) != 0 {
		t.Errorf("it says %v", x)
	}
	if v := x.GetConfiguration(); len(v) != 2 || !v[0].GetChanged() || v[0].GetPending() != "warn" || v[0].GetDrifted() || strings.Contains(v[1].GetValue(), "c2Vj") {
		t.Errorf("its configuration: %v", v)
	}
	stream, err := operator.CollectDebug(t.Context(), &ballastv1.CollectDebugRequest{Heap: true})
	must(t, err)
	parts := map[string]string{}
	for name := ""; ; {
		p, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		if p.GetName() != "" {
			name = p.GetName()
		}
		parts[name] += string(p.GetData()) + p.GetError()
	}
	for name, want := range map[string]string{
		"log.jsonl": "a line\n", "metrics.txt": "ballast_raft_leader_known 1", "goroutines.txt": "server/node", "heap.pprof": "",
	} {
		if text, ok := parts[name]; !ok || !strings.Contains(text, want) {
			t.Errorf("%s: %d bytes without %q", name, len(text), want)
		}
	}
	r.end(t)
}

// A disk that hangs keeps nobody waiting, and one that is gone is told of.
func TestDiskTrial(t *testing.T) {
	d := newDiskProbe(t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if trial := d.trial(ctx); trial.GetWrites() != 0 || trial.GetProblem() == "" { // nobody runs it
		t.Errorf("a hung disk: %v", trial)
	}
	end := run(d.run)
	defer func() { must(t, end()) }()
	if trial := d.trial(t.Context()); trial.GetWrites() == 0 || trial.GetWrites() > burstWrites || trial.GetProblem() != "" {
		t.Errorf("a good disk: %v", trial)
	}
	gone := newDiskProbe(t.TempDir() + "/gone")
	endGone := run(gone.run)
	defer func() { must(t, endGone()) }()
	if trial := gone.trial(t.Context()); trial.GetWrites() != 0 || !strings.Contains(trial.GetProblem(), "no such file") {
		t.Errorf("no disk: %v", trial)
	}
}
