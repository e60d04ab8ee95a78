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

// TestTake proposes until this member has a snapshot, a few times, and passes on why it has none. One that is there, or being
// written, is waited for where it will do.
func TestTake(t *testing.T) {
	broken := errors.New("the disk is full")
	for what, c := range map[string]struct {
		notBefore, newest uint64
		taken             []bool // of each mark; the first is 11
		err               error  // of the last
		proposed          int
		index             uint64
		want              error
	}{
		"at once":             {newest: 10, taken: []bool{true}, proposed: 1, index: 11},
		"skipped once":        {newest: 10, taken: []bool{false, true}, proposed: 2, index: 12},
		"always skipped":      {newest: 10, taken: []bool{false, false, false}, proposed: maxTakes, want: ErrNotTaken},
		"failed":              {newest: 10, taken: []bool{false}, err: broken, proposed: 1, want: broken},
		"asked again":         {notBefore: 9, newest: 10, index: 10},
		"asked again, failed": {notBefore: 9, err: broken, want: broken},
		"asked, and skipped":  {notBefore: 9, newest: 8, taken: []bool{true}, proposed: 1, index: 11},
	} {
		proposed := 0
		cadence := NewCadence(CadenceConfig{
			Propose: func(context.Context) (uint64, error) { proposed++; return 10 + uint64(proposed), nil },
			Taken: func(_ context.Context, index uint64) (uint64, error) {
				switch {
				case index == 0:
					return 0, nil
				case index > 10 && c.taken[index-11]:
					return index, c.err
				case index <= 10 && c.newest >= index:
					return c.newest, nil
				}
				return 0, c.err
			},
		})
		if index, err := cadence.Take(t.Context(), c.notBefore); !errors.Is(err, c.want) || index != c.index || proposed != c.proposed {
			t.Errorf("%s: index %d, %v, %d proposed; want %d, %v, %d", what, index, err, proposed, c.index, c.want, c.proposed)
		}
	}
}
