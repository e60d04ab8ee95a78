package linearizability

import (
	"flag"
	"testing"
	"time"

	"github.com/ballastdb/ballast/internal/testcluster"
)

var (
	seed    = flag.Uint64("seed", 1, "what the schedule of faults and load is drawn from")
	minutes = flag.Float64("minutes", 0, "how long TestNemesis runs; 0: not at all")
)

// TestNemesisShort is one round of a fixed seed, as part of every test run.
func TestNemesisShort(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	runRounds(t, Config{Seed: 20, RoundLength: 22 * time.Second}, 0)
}

// TestNemesis is `make nemesis SEED=.. MINUTES=..`.
func TestNemesis(t *testing.T) {
	if *minutes <= 0 {
		t.Skip("runs for as long as it is told to: make nemesis SEED=7 MINUTES=10")
	}
	runRounds(t, Config{Seed: *seed, RoundLength: 40 * time.Second}, time.Duration(*minutes*float64(time.Minute)))
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
