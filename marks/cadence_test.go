package marks

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/upkeep"
)

func TestDue(t *testing.T) {
	s := upkeep.Default()
	s.SnapshotMinLogBytes, s.SnapshotMaxLogBytes = 1000, 10_000
	for what, c := range map[string]struct {
		weight  fsm.Weight
		want    Reason
		damaged uint64
	}{
		"nothing happened":                     {fsm.Weight{Mark: 9, Configuration: 9}, NotDue, 0},
		"too little log":                       {fsm.Weight{LogBytes: 999, SnapshotBytes: 1}, NotDue, 0},
		"it would write too much":              {fsm.Weight{LogBytes: 1000, SnapshotBytes: 2001}, NotDue, 0},
		"it writes twice the log":              {fsm.Weight{LogBytes: 1000, SnapshotBytes: 2000}, Weight, 0},
		"much log":                             {fsm.Weight{LogBytes: 9999, SnapshotBytes: 1 << 30}, NotDue, 0},
		"too much log":                         {fsm.Weight{LogBytes: 10_000, SnapshotBytes: 1 << 30}, MaxLog, 0},
		"a new configuration":                  {fsm.Weight{Mark: 9, Configuration: 10}, Configuration, 0},
		"the mark is behind the configuration": {fsm.Weight{Mark: 11, Configuration: 10}, NotDue, 0},
		"while one is written":                 {fsm.Weight{Mark: 9, Configuration: 10, LogBytes: 10_000, Busy: true}, NotDue, 0},
		"a snapshot is damaged":                {fsm.Weight{Mark: 9}, Damage, 9},
		"one before the newest mark is":        {fsm.Weight{Mark: 9}, NotDue, 8},
		"one is, while one is written":         {fsm.Weight{Mark: 9, Busy: true}, NotDue, 9},
	} {
		if got := Due(c.weight, s, c.damaged); got != c.want {
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

// TestMarksWaitForMembers that still write the one before, which would skip it: for a while.
func TestMarksWaitForMembers(t *testing.T) {
	now, writing, proposed := time.Unix(1_785_000_000, 0), true, 0
	s := upkeep.Default()
	weight := fsm.Weight{Mark: 9, LogBytes: s.SnapshotMaxLogBytes}
	c := NewCadence(CadenceConfig{
		Leading: func() bool { return true }, Weight: func() fsm.Weight { return weight }, Settings: upkeep.Default,
		Members: func(mark uint64) Members {
			if mark != weight.Mark {
				t.Errorf("asked about the mark at %d, want %d", mark, weight.Mark)
			}
			return Members{Writing: writing}
		},
		Propose: func(context.Context) (uint64, error) { proposed++; return 0, nil }, Logger: hclog.NewNullLogger(),
		Patience: time.Minute, Now: func() time.Time { return now },
	})
	step := func(what string, want int) {
		t.Helper()
		if c.step(t.Context()); proposed != want {
			t.Errorf("%s: %d marks are proposed, want %d", what, proposed, want)
		}
	}
	step("members write", 0)
	now = now.Add(59 * time.Second)
	step("they still do", 0)
	now = now.Add(time.Second)
	step("for too long", 1)
	weight.Mark = 20
	step("they write the next", 1)
	writing = false
	step("they are done", 2)
	weight.Mark, writing = 30, true
	weight.LogBytes *= 10
	step("they write again, however long the log", 2)
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
