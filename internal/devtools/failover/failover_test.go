package failover

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestHarness runs one kill and one hand-over: it shows that the harness works, and measures nothing.
func TestHarness(t *testing.T) {
	report, err := Run(t.Context(), Options{Dir: t.TempDir(), Kills: 1, Transfers: 1, Tell: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	if report.Failed > 0 || report.Skipped > 0 || report.Balance != int64(report.Done) || len(report.Kills) != 1 || report.Kills[0] <= 0 {
		t.Errorf("got %+v", report)
	}
}

func TestRows(t *testing.T) {
	ms := time.Millisecond
	r := &Report{
		Kills: []time.Duration{900 * ms, 3000 * ms, 1000 * ms, 2100 * ms}, Done: 10, Balance: 9,
		Handovers: []Handover{{Slowest: 80 * ms, Before: 10 * ms}, {Slowest: 130 * ms, Before: 40 * ms}},
	}
	rows, err := r.Rows()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]struct {
		value float64
		met   bool
	}{
		"failover/second_slowest": {2100, false}, "failover/lost_or_twice": {1, false}, "failover/failed": {0, true}, "handover/added": {90, true},
	}
	for _, row := range rows {
		w, barred := want[row.Name]
		if barred != (row.Met != nil) || barred && (row.Value != w.value || *row.Met != w.met) {
			t.Errorf("%+v, want %+v", row, w)
		}
		if row.Name == "failover/p50" && row.Value != 1000 {
			t.Errorf("p50 is %v", row.Value)
		}
	}
}
