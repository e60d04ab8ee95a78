package server

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// What an operator can mend, and what is refused: time is never turned back, and steps only as far as was said.
func TestMendClock(t *testing.T) {
	for _, c := range []struct {
		name    string
		ahead   map[raft.ServerID]time.Duration // from when the time was set on
		forward time.Duration
		refusal string
		off     time.Duration // of the true time afterwards
	}{
		{"behind", map[raft.ServerID]time.Duration{idA: year, idB: year, idC: year}, year, "", year},
		{"behind, nearly as said", map[raft.ServerID]time.Duration{idA: year, idB: year, idC: year}, year - 24*time.Hour, "", year},
		{"behind, not as said", map[raft.ServerID]time.Duration{idA: year, idB: year, idC: year}, time.Hour, "the request says 1h0m0s", 0},
		{"ahead", map[raft.ServerID]time.Duration{idA: -year, idB: -year, idC: -year}, year, "never turned back", 0},
		{"right", nil, time.Hour, "nothing to mend", 0},
		{"one clock is wrong", map[raft.ServerID]time.Duration{idB: year}, year, "nothing to mend", 0},
		{"no two agree", map[raft.ServerID]time.Duration{idA: year, idB: 2 * year}, year, "mend those of the machines first", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newClockStory()
			s.set(t, 1, 0)
			s.ahead = c.ahead
			step, err := s.clock.Mend(context.Background(), 1, c.forward)
			if (err == nil) != (c.refusal == "") || err != nil && !strings.Contains(err.Error(), c.refusal) {
				t.Errorf("mended by %v, %v; want the refusal %q", step, err, c.refusal)
			}
			s.off(t, c.off)
			if _, err := s.clock.Mend(context.Background(), 2, c.forward); err == nil {
				t.Error("mended in a term that it was not set for")
			}
		})
	}
}

// The status of a leader has every voter's clock, against the median, and that of another member its own alone.
func TestClockStatus(t *testing.T) {
	s := newClockStory()
	s.ahead[idB], s.silent[idC] = year, true
	s.set(t, 3, 0)
	told := s.clock.Status(3, true)
	if told.GetCluster() != told.GetMedian() || len(told.GetMembers()) != 3 {
		t.Fatalf("%v", told)
	}
	if m := told.GetMembers(); m[0].GetOffset().AsDuration() != 0 || m[1].GetOffset().AsDuration() != year || m[2].GetOffset() != nil {
		t.Errorf("%v", m)
	}
	if told := s.clock.Status(3, false); told.GetCluster() != 0 || told.GetOwn() != epoch.UnixNano() {
		t.Errorf("%v", told)
	}
}
