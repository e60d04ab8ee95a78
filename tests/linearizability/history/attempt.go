package history

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// attemptKey names one attempt of one operation (of a group: its first).
type attemptKey struct {
	id      string
	attempt uint32
}

func (k attemptKey) String() string { return fmt.Sprintf("%s attempt %d", k.id, k.attempt) }

// attempt is all that is known of one attempt from all calls that tried it, late copies included. As an attempt has at
// most one effect and one answer, all its calls together are one operation of the model: it takes effect, if at all, at
// one moment after the first call that may have proposed it began, and before the first answer was given.
type attempt struct {
	attemptKey
	operations []*ballastv1.Operation
	start, end int64 // end is math.MaxInt64 while nothing bounds it
	// results is the attempt's own answer; nil where none was given.
	results []*ballastv1.Result
	// maybe: some call ended unknown.
	maybe bool
	calls int
}

// answered reports whether the attempt got its own answer.
func (a *attempt) answered() bool { return a.results != nil }

// applied reports whether its own answer is that it took effect.
func (a *attempt) applied() bool {
	return a.answered() && a.results[0].GetCode() == ballastv1.ResultCode_RESULT_CODE_APPLIED
}

// merge folds the calls of each attempt together. Answers that contradict each other are violations.
func merge(calls []*Call) (attempts map[attemptKey]*attempt, violations []Violation) {
	attempts = map[attemptKey]*attempt{}
	for _, c := range calls {
		if c.Operations == nil {
			continue
		}
		k := c.key()
		a := attempts[k]
		if a == nil {
			a = &attempt{attemptKey: k, operations: c.Operations, start: math.MaxInt64, end: math.MaxInt64}
			attempts[k] = a
		}
		a.calls++
		own := c.Outcome == Answered && ownAnswer(k.attempt, c.Results)
		if c.Outcome == Unknown || own {
			a.start = min(a.start, c.Start)
		}
		a.maybe = a.maybe || c.Outcome == Unknown
		if !own {
			continue
		}
		a.end = min(a.end, c.End)
		if a.results == nil {
			a.results = c.Results
		} else if !sameAnswers(a.results, c.Results) {
			violations = append(violations, Violation{
				TwoAnswers,
				fmt.Sprintf("%s was answered %s and %s", k, describe(a.results), describe(c.Results)),
			})
		}
	}
	return attempts, violations
}

// ownAnswer reports whether results answer this attempt itself. The alternative is news about another one: that a higher
// attempt is known, or that the operation took effect under another attempt.
func ownAnswer(attempt uint32, results []*ballastv1.Result) bool {
	for _, r := range results {
		switch r.GetCode() {
		case ballastv1.ResultCode_RESULT_CODE_SUPERSEDED:
			return false
		case ballastv1.ResultCode_RESULT_CODE_APPLIED:
			if r.GetAttempt() != attempt {
				return false
			}
		default: // a refusal of its own
		}
	}
	return true
}

// sameAnswers compares everything but whether an answer was given again.
func sameAnswers(a, b []*ballastv1.Result) bool {
	return slices.EqualFunc(a, b, func(x, y *ballastv1.Result) bool {
		x, y = proto.CloneOf(x), proto.CloneOf(y)
		x.Replayed, y.Replayed = false, false
		return proto.Equal(x, y)
	})
}

func describe(results []*ballastv1.Result) string {
	text := ""
	for i, r := range results {
		if i > 0 {
			text += "; "
		}
		text += fmt.Sprintf("%s attempt %d sequence %d debit_posted %d credit_posted %d available %d",
			r.GetCode(), r.GetAttempt(), r.GetSequence(), r.GetDebitPosted(), r.GetCreditPosted(), r.GetAvailable())
	}
	return text
}

// inOrder returns the attempts ordered by start, then name.
func inOrder(attempts map[attemptKey]*attempt) []*attempt {
	list := make([]*attempt, 0, len(attempts))
	for _, a := range attempts {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *attempt) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.id, b.id), cmp.Compare(a.attempt, b.attempt))
	})
	return list
}
