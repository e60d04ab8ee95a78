package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ballastdb/ballast/internal/workload"
)

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"--rounds", "0"}, {"--duration", "-1s"}, {"--warmup", "-1s"}, {"extra"}, {"--unknown"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, stdio{&out, &errs}); code != exitUsage || out.Len() > 0 || errs.Len() == 0 {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q", args, code, &out, &errs)
		}
	}
}

func TestMissingDaemonIsAFailureThatSaysWhatToDo(t *testing.T) {
	var out, errs bytes.Buffer
	args := []string{"--dir", t.TempDir(), "--ballastd", filepath.Join(t.TempDir(), "none")}
	if code := run(t.Context(), args, stdio{&out, &errs}); code != exitFailed || !strings.Contains(errs.String(), "none") {
		t.Errorf("exit code %d, stderr %q", code, &errs)
	}
}

// Every workload has its rows for both targets and their ratio, also as JSON.
func TestReport(t *testing.T) {
	targets := []target{{label: "ballast"}, {label: "raft alone", prefix: "floor/"}}
	var results []workload.Result
	for _, config := range workload.Standard(0, time.Second) {
		for i := range targets {
			results = append(results, fakeResult(t, config, int64(100*(i+1))))
		}
	}
	var out bytes.Buffer
	if err := report(benchOptions{json: true}, targets, results, nil, stdio{&out, os.Stderr}); err != nil {
		t.Fatal(err)
	}
	var rows []workload.Row
	if err := json.Unmarshal(out.Bytes(), &rows); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, row := range rows {
		got[row.Name] = row.Value
	}
	for name, want := range map[string]float64{
		"lone/throughput": 100, "floor/lone/throughput": 200, "lone/of_floor": 0.5, "bulk/of_floor": 0.5, "callers64/max": 0,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s: %v, %v; want %v", name, value, ok, want)
		}
	}
	results[0].Failed, results[0].LastFailure = 1, os.ErrDeadlineExceeded
	if err := report(benchOptions{}, targets, results, nil, stdio{&out, os.Stderr}); err == nil {
		t.Error("failed calls were not reported")
	}
}

// fakeResult is a result of n operations in a second.
func fakeResult(t *testing.T, config workload.Config, n int64) workload.Result {
	t.Helper()
	result := workload.NewResult(config)
	result.Operations, result.Elapsed = n, time.Second
	return result
}
