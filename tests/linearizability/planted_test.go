//go:build planted

package linearizability

import (
	"testing"
	"time"

	"github.com/ballastdb/ballast/internal/planted"
	"github.com/ballastdb/ballast/internal/testcluster"
	"github.com/ballastdb/ballast/tests/linearizability/history"
)

// plants are the bugs of internal/planted, with the faults that provoke each and the broken promise that it must be
// accused of.
var plants = []struct {
	bug     planted.Bug
	faults  []Fault
	accused history.Kind
}{
	{planted.AckBeforeCommit, []Fault{Isolate, IsolateAndKill}, history.Lost},
	{planted.StaleAsLinearizable, []Fault{Pause, Kill, Transfer, Isolate}, history.WentBack},
	{planted.ForgetRefusals, []Fault{Transfer, HoldAnswers}, history.RefusedTookEffect},
	{planted.UnknownAsNotDone, []Fault{HoldThenKill, Kill}, history.NotDoneTookEffect},
}

const plantedRound = 15 * time.Second

// TestPlantedBugsAreCaught plants each bug and runs rounds until one is accused.
func TestPlantedBugsAreCaught(t *testing.T) {
	const mostRounds = 8
	for _, p := range plants {
		t.Run(string(p.bug), func(t *testing.T) {
			t.Setenv("BALLAST_PLANT", string(p.bug)) // for the members, and for the client library in this process
			cluster := testcluster.Start(t, testcluster.Options{Tags: []string{"planted"}, Config: quiet})
			cfg := Config{Seed: 1, RoundLength: plantedRound, Faults: p.faults, Log: t.Logf}
			for number := 1; number <= mostRounds; number++ {
				verdict, err := Round(t.Context(), cluster, cfg, number)
				if err != nil { // the bug may also keep a round from being run, but that accuses nobody
					t.Logf("round %d: %v", number, err)
					continue
				}
				for _, v := range verdict.Violations {
					if v.Kind == p.accused {
						t.Logf("caught in round %d, with %v: %s", number, verdict.Kinds(), v)
						return
					}
				}
			}
			t.Errorf("%s was not caught in %d rounds", p.bug, mostRounds)
		})
	}
}

// TestPlantedNothing runs the same faults on the same build without a bug: nobody may be accused.
func TestPlantedNothing(t *testing.T) {
	t.Setenv("BALLAST_PLANT", "")
	cluster := testcluster.Start(t, testcluster.Options{Tags: []string{"planted"}, Config: quiet})
	for i, p := range plants {
		cfg := Config{Seed: 1, RoundLength: plantedRound, Faults: p.faults, Log: t.Logf}
		verdict, err := Round(t.Context(), cluster, cfg, 100+i)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range verdict.Violations {
			t.Errorf("faults that provoke %s, without it: %s", p.bug, v)
		}
	}
}
