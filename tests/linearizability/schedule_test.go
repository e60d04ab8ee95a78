package linearizability

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func TestScheduleRepeatsAndUsesEveryFault(t *testing.T) {
	draw := func(seed uint64) []Step { return Schedule(rand.New(rand.NewPCG(seed, 1)), 10*time.Minute, all) }
	if !reflect.DeepEqual(draw(7), draw(7)) {
		t.Error("one seed draws two schedules")
	}
	if reflect.DeepEqual(draw(7), draw(8)) {
		t.Error("two seeds draw one schedule")
	}
	seen := map[Fault]bool{}
	for _, s := range draw(7) {
		for _, f := range s.Faults {
			seen[f.Fault] = true
		}
	}
	for _, f := range all {
		if !seen[f] {
			t.Errorf("%q does not occur in 10 minutes", f)
		}
	}
}
