package importer

import (
	"testing"
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Whatever this machine's clock and however long the store was idle, the stamp is neither ahead of the cluster's time
// nor much behind it, so that no row is refused for it; and the store is asked only where there is doubt.
func TestStampIsTheClustersTime(t *testing.T) {
	for name, c := range map[string]struct {
		fast, idle time.Duration
		asked      bool
	}{
		"right":                     {0, 0, false},
		"a little fast":             {20 * time.Second, 0, false},
		"fast":                      {45 * time.Second, 0, true},
		"a day fast":                {24 * time.Hour, 0, true},
		"idle":                      {0, 30 * 24 * time.Hour, true},
		"fast and idle":             {20 * time.Minute, 50 * time.Minute, true},
		"slow":                      {-10 * 24 * time.Hour, 0, false},
		"slow, and idle for longer": {-time.Minute, time.Hour, true},
	} {
		store := newFakeStore()
		start := time.Now()
		store.fast, store.logTime = c.fast, start.Add(-c.idle).UnixNano()
		store.checksTime = true
		store.fault = randomFaults(1, 0.2)
		path := writeFile(t, randomFile(1, 50, 3))
		report, err := Run(t.Context(), store, optionsFor(path))
		if err != nil || report.Applied != 50 || !report.Clean() {
			t.Errorf("%s: %+v, %v", name, report, err)
			continue
		}
		off := report.IssuedAt.Sub(start)
		if allowed := max(0, min(c.fast, clockDoubt)) + time.Since(start); off > allowed || off < -2*time.Minute {
			t.Errorf("%s: stamp is %s off", name, off)
		}
		asked := false
		for _, known := range store.answers {
			asked = asked || known.op.GetKind() != nil && known.op.GetCreateLedger() != nil
		}
		if asked != c.asked {
			t.Errorf("%s: asked is %v", name, asked)
		}
		if again, err := Run(t.Context(), store, optionsFor(path)); err != nil || again.AlreadyApplied != 50 || !again.IssuedAt.Equal(report.IssuedAt) {
			t.Errorf("%s, second run: %+v, %v", name, again, err)
		}
	}
}

// checkTime refuses as the store does by an operation's stamp.
func (s *fakeStore) checkTime(op *ballastv1.Operation) *ballastv1.Result {
	switch ahead := time.Duration(op.GetIssuedAt() - s.logTime); {
	case ahead > time.Minute:
		return &ballastv1.Result{Code: ballastv1.ResultCode_RESULT_CODE_TOO_EARLY}
	case ahead < -7*24*time.Hour:
		return &ballastv1.Result{Code: ballastv1.ResultCode_RESULT_CODE_TOO_OLD}
	}
	return nil
}
