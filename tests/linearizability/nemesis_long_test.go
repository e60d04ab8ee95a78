//go:build nemesis

package linearizability

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	seed    = flag.Uint64("seed", 1, "what the schedule of faults and load is drawn from")
	minutes = flag.Float64("minutes", 5, "how long to go on")
	without = flag.String("without", "", "faults to leave out, by their names in schedule.go, comma-separated")
)

// TestNemesis is `make nemesis SEED=.. MINUTES=..`.
func TestNemesis(t *testing.T) {
	faults := slices.DeleteFunc(slices.Clone(all), func(f Fault) bool {
		return slices.Contains(strings.Split(*without, ","), string(f))
	})
	cfg := Config{Seed: *seed, RoundLength: 40 * time.Second, Faults: faults}
	runRounds(t, cfg, time.Duration(*minutes*float64(time.Minute)))
}
