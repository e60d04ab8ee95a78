package linearizability

import (
	"testing"
	"time"

	"github.com/ballastdb/ballast/internal/testcluster"
)

// TestNemesisShort is one round of a fixed seed, as part of every test run.
func TestNemesisShort(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	runRounds(t, Config{Seed: 2, RoundLength: 22 * time.Second}, 0)
}

// runRounds runs rounds on one cluster until the time has passed, at least one, and fails on any violation.
func runRounds(t *testing.T, cfg Config, length time.Duration) {
	t.Helper()
	cluster := testcluster.Start(t, testcluster.Options{Config: quiet})
	cfg.Log = t.Logf
	cfg.Pictures = t.ArtifactDir()
	for began, number := time.Now(), 1; number == 1 || time.Since(began) < length; number++ {
		verdict, err := Round(t.Context(), cluster, cfg, number)
		if err != nil {
			t.Fatalf("seed %d, round %d: %v", cfg.Seed, number, err)
		}
		for i, v := range verdict.Violations {
			if i == 20 {
				t.Errorf("and %d more", len(verdict.Violations)-i)
				break
			}
			t.Errorf("seed %d, round %d: %s", cfg.Seed, number, v)
		}
		if verdict.Undecided > 0 {
			t.Errorf("seed %d, round %d: %d cells were too hard to decide", cfg.Seed, number, verdict.Undecided)
		}
		if t.Failed() {
			return
		}
	}
}

// quiet keeps the members' logs to what matters: under faults nearly every call fails now and then.
var quiet = map[string]string{"log_level": "info"}
