package history

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Verdict on a run.
type Verdict struct {
	Violations []Violation
	// Undecided cells: porcupine ran out of time.
	Undecided int
	// Attempts, Reads: what was checked.
	Attempts, Reads int
	// Info is porcupine's picture of the first cell that is not linearizable, for porcupine.Visualize.
	Info  *porcupine.LinearizationInfo
	Model *porcupine.Model
}

// Check compares what callers were told with what can have happened. initial are the accounts as they were before the
// first call, CellSize of them a cell. limit bounds the search in each cell.
func Check(calls []*Call, initial []*ballastv1.Account, truth *Truth, limit time.Duration) *Verdict {
	attempts, violations := merge(calls)
	v := &Verdict{Violations: violations}
	v.add(truth.settle(attempts))
	v.add(truth.books())
	v.add(readsGoForward(calls))
	v.add(logTimeIsSane(calls))
	v.Attempts = len(attempts)

	list := inOrder(attempts)
	for first := 0; first < len(initial); first += CellSize {
		c := newCell(initial[first:min(first+CellSize, len(initial))])
		var reads []*Call
		for _, call := range calls {
			if call.Read != nil && c.holds(call.Read) {
				reads = append(reads, call)
			}
		}
		v.Reads += len(reads)
		var own []*attempt
		for _, a := range list {
			if a.answered() && c.concerns(a) {
				own = append(own, a)
			}
		}
		model, operations := c.model(), c.operations(reads, own)
		switch porcupine.CheckOperationsTimeout(model, operations, limit) {
		case porcupine.Illegal:
			v.add([]Violation{{NotLinearizable, fmt.Sprintf("accounts %v: no order explains %d changes and %d reads", c.accounts, len(own), len(reads))}})
			if v.Info == nil { // searched again, for the picture
				_, info := porcupine.CheckOperationsVerbose(model, operations, limit)
				v.Info, v.Model = &info, &model
			}
		case porcupine.Unknown:
			v.Undecided++
		case porcupine.Ok:
		}
	}
	return v
}

// Kinds counts the violations of each kind.
func (v *Verdict) Kinds() map[Kind]int {
	kinds := map[Kind]int{}
	for _, violation := range v.Violations {
		kinds[violation.Kind]++
	}
	return kinds
}

func (v *Verdict) add(violations []Violation) { v.Violations = append(v.Violations, violations...) }

func newCell(accounts []*ballastv1.Account) *cell {
	c := &cell{seed: maphash.MakeSeed()}
	for i, a := range accounts {
		c.accounts[i], c.floors[i] = a.GetId(), a.GetFloor()
		c.start.posted[i], c.start.last[i] = a.GetPosted(), a.GetLastSequence()
	}
	return c
}

func (c *cell) holds(r *Read) bool { return len(r.Accounts) > 0 && c.index(r.Accounts[0].GetId()) >= 0 }

func (c *cell) concerns(a *attempt) bool {
	for _, op := range a.operations {
		if m := moveOf(op); c.index(m.debit) >= 0 || c.index(m.credit) >= 0 {
			return true
		}
	}
	return false
}

// mostAhead is how far log time may be ahead of the true time: the tolerance among members' clocks, with room.
const mostAhead = 10 * time.Second

// logTimeIsSane: no member's clock that is set wrong takes log time along.
func logTimeIsSane(calls []*Call) []Violation {
	for _, c := range calls {
		if c.Read != nil && c.Read.Ahead > mostAhead {
			return []Violation{{ClockLeapt, fmt.Sprintf("at %v log time is %v ahead of true time", time.Duration(c.End), c.Read.Ahead)}}
		}
	}
	return nil
}

// readsGoForward: a linearizable read sees at least the index that any read saw that had ended before it began.
func readsGoForward(calls []*Call) (violations []Violation) {
	var reads []*Call
	for _, c := range calls {
		if c.Read != nil {
			reads = append(reads, c)
		}
	}
	byEnd := slices.Clone(reads)
	slices.SortFunc(byEnd, func(a, b *Call) int { return cmp.Compare(a.End, b.End) })
	slices.SortFunc(reads, func(a, b *Call) int { return cmp.Compare(a.Start, b.Start) })
	var newest *Call
	for _, r := range reads {
		for len(byEnd) > 0 && byEnd[0].End < r.Start {
			if newest == nil || byEnd[0].Read.Index > newest.Read.Index {
				newest = byEnd[0]
			}
			byEnd = byEnd[1:]
		}
		if newest != nil && r.Read.Index < newest.Read.Index {
			violations = append(violations, Violation{WentBack, fmt.Sprintf(
				"a read from %v to %v showed index %d; one that had ended at %v showed %d", time.Duration(r.Start),
				time.Duration(r.End), r.Read.Index, time.Duration(newest.End), newest.Read.Index)})
		}
	}
	return violations
}
