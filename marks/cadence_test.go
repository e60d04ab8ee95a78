package marks

import (
	"context"
	"errors"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/upkeep"
)

func TestDue(t *testing.T) {
	s := upkeep.Default()
	s.SnapshotMinLogBytes, s.SnapshotMaxLogBytes = 1000, 10_000
	for what, c := range map[string]struct {
		weight fsm.Weight
		want   Reason
	}{
		"nothing happened":                     {fsm.Weight{Mark: 9, Configuration: 9}, NotDue},
		"too little log":                       {fsm.Weight{LogBytes: 999, SnapshotBytes: 1}, NotDue},
		"it would write too much":              {fsm.Weight{LogBytes: 1000, SnapshotBytes: 2001}, NotDue},
		"it writes twice the log":              {fsm.Weight{LogBytes: 1000, SnapshotBytes: 2000}, Weight},
		"much log":                             {fsm.Weight{LogBytes: 9999, SnapshotBytes: 1 << 30}, NotDue},
		"too much log":                         {fsm.Weight{LogBytes: 10_000, SnapshotBytes: 1 << 30}, MaxLog},
		"a new configuration":                  {fsm.Weight{Mark: 9, Configuration: 10}, Configuration},
		"the mark is behind the configuration": {fsm.Weight{Mark: 11, Configuration: 10}, NotDue},
		"while one is written":                 {fsm.Weight{Mark: 9, Configuration: 10, LogBytes: 10_000, Busy: true}, NotDue},
	} {
		if got := Due(c.weight, s); got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}

// TestOnlyALeaderMarks, and again when it failed.
func TestOnlyALeaderMarks(t *testing.T) {
	var leading bool
	var weight fsm.Weight
	proposed, fails := 0, errors.New("no majority")
	c := NewCadence(CadenceConfig{
		Leading: func() bool { return leading }, Weight: func() fsm.Weight { return weight }, Settings: upkeep.Default,
		Propose: func(context.Context) (uint64, error) { proposed++; return 7, fails }, Logger: hclog.NewNullLogger(),
	})
	step := func(want int) {
		t.Helper()
		if c.step(t.Context()); proposed != want {
			t.Errorf("%d marks are proposed, want %d", proposed, want)
		}
	}
	weight.LogBytes = 1 << 40
	step(0)
	leading = true
	step(1)
	step(2)
	fails = nil
	step(3)
	weight = fsm.Weight{}
	step(3)
}

// TestTake proposes until this member has a snapshot, a few times, and passes on why it has none.
func TestTake(t *testing.T) {
	broken := errors.New("the disk is full")
	for what, c := range map[string]struct {
		taken    []bool // of each mark
		err      error  // of the last
		proposed uint64
		want     error
	}{
		"at once":        {taken: []bool{true}, proposed: 1},
		"skipped once":   {taken: []bool{false, true}, proposed: 2},
		"always skipped": {taken: []bool{false, false, false}, proposed: maxTakes, want: ErrNotTaken},
		"failed":         {taken: []bool{false}, err: broken, proposed: 1, want: broken},
	} {
		proposed := uint64(0)
		cadence := NewCadence(CadenceConfig{
			Propose: func(context.Context) (uint64, error) { proposed++; return proposed, nil },
			Taken: func(_ context.Context, index uint64) (bool, error) {
				if index == 0 {
					return false, nil
				}
				return c.taken[index-1], c.err
			},
		})
		if index, err := cadence.Take(t.Context()); !errors.Is(err, c.want) || index != c.proposed || proposed != c.proposed {
			t.Errorf("%s: index %d, %v, %d proposed; want %d, %v", what, index, err, proposed, c.proposed, c.want)
		}
	}
}
