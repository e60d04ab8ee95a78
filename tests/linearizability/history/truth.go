package history

import (
	"fmt"
	"slices"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Truth is what the store says when all is over: every fault healed, every call and late copy ended.
type Truth struct {
	// Time on the recorder's clock after which all of it was read.
	Time int64
	// Accounts, system accounts included.
	Accounts []*ballastv1.Account
	// Entries of all accounts that callers can name, each once, in order of sequence.
	Entries []*ballastv1.Entry
	// Operations is what became of each id of NeedsOperation.
	Operations map[string]*ballastv1.GetOperationResponse
}

// NeedsOperation lists the ids whose fate the calls alone do not tell: those that were not simply acknowledged.
func NeedsOperation(calls []*Call) []string {
	attempts, _ := merge(calls)
	byID := map[string]int{}
	for k := range attempts {
		byID[k.id]++
	}
	var ids []string
	for _, a := range inOrder(attempts) {
		if a.applied() && byID[a.id] == 1 {
			continue
		}
		for _, op := range a.operations {
			if !slices.Contains(ids, op.GetId()) {
				ids = append(ids, op.GetId())
			}
		}
	}
	return ids
}

// settle compares the attempts with what the store says became of them, and gives the ones without an answer the one
// that they turned out to have.
func (t *Truth) settle(attempts map[attemptKey]*attempt) (violations []Violation) {
	entries, violations := t.entriesByID(attempts)
	for _, a := range inOrder(attempts) {
		found := make([]*ballastv1.Entry, len(a.operations))
		effects := 0
		for i, op := range a.operations {
			if e := entries[op.GetId()]; e != nil && t.tookEffectIn(a, op.GetId()) {
				found[i] = e
				effects++
			}
		}
		report := func(kind Kind, format string, args ...any) {
			violations = append(violations, Violation{kind, a.String() + " " + fmt.Sprintf(format, args...)})
		}
		switch {
		case effects != 0 && effects != len(a.operations):
			report(NotLinearizable, "is an atomic group of %d, of which %d took effect", len(a.operations), effects)
		case a.applied():
			for i, r := range a.results {
				if e := found[i]; e == nil || e.GetSequence() != r.GetSequence() ||
					e.GetDebitPosted() != r.GetDebitPosted() || e.GetCreditPosted() != r.GetCreditPosted() {
					report(Lost, "was answered %s; the journal has %v", describe(a.results[i:i+1]), e)
				}
			}
		case a.answered():
			if effects > 0 {
				report(RefusedTookEffect, "was answered %s; the journal has %v", describe(a.results), found[0])
			} else if missing := t.forgotten(a); missing != "" {
				report(Forgotten, "was answered %s; %s", describe(a.results), missing)
			}
		case effects > 0 && !a.maybe:
			report(NotDoneTookEffect, "was reported not done by all its %d calls; the journal has %v", a.calls, found[0])
		case effects > 0:
			a.results = answersOf(found, a.attempt)
			a.end = t.Time
		}
	}
	return violations
}

// entriesByID checks that each entry belongs to an operation of the history, and each operation to one entry.
func (t *Truth) entriesByID(attempts map[attemptKey]*attempt) (map[string]*ballastv1.Entry, []Violation) {
	asked := map[string]bool{}
	for _, a := range attempts {
		for _, op := range a.operations {
			asked[op.GetId()] = true
		}
	}
	var violations []Violation
	entries := map[string]*ballastv1.Entry{}
	for _, e := range t.Entries {
		switch e.GetKind() {
		case ballastv1.EntryKind_ENTRY_KIND_CREDIT, ballastv1.EntryKind_ENTRY_KIND_DEBIT, ballastv1.EntryKind_ENTRY_KIND_TRANSFER:
		default:
			continue // the run's own preparations
		}
		if first := entries[e.GetOperationId()]; first != nil {
			violations = append(violations, Violation{AppliedTwice, fmt.Sprintf("%s has %v and %v", e.GetOperationId(), first, e)})
		} else if !asked[e.GetOperationId()] {
			violations = append(violations, Violation{Stranger, fmt.Sprint(e)})
		}
		entries[e.GetOperationId()] = e
	}
	return entries, violations
}

// tookEffectIn reports whether it was this attempt under which an id that has an entry took effect.
func (t *Truth) tookEffectIn(a *attempt, id string) bool {
	op := t.Operations[id]
	if op == nil { // not asked for: the id's only attempt was acknowledged
		return true
	}
	return !op.GetKnown() || op.GetResult().GetAttempt() == a.attempt
}

// forgotten says how the store's memory of a refused attempt differs from the answer that it gave; empty: not at all.
func (t *Truth) forgotten(a *attempt) string {
	for i, op := range a.operations {
		now := t.Operations[op.GetId()]
		switch {
		case now == nil || transient(a.results[i].GetCode()):
		case !now.GetKnown():
			return fmt.Sprintf("%s is not remembered", op.GetId())
		case now.GetResult().GetAttempt() < a.attempt:
			return fmt.Sprintf("%s is remembered for attempt %d", op.GetId(), now.GetResult().GetAttempt())
		case now.GetResult().GetAttempt() == a.attempt && now.GetResult().GetCode() != a.results[i].GetCode():
			return fmt.Sprintf("%s is remembered as %s", op.GetId(), now.GetResult().GetCode())
		}
	}
	return ""
}

// transient refusals need not be remembered: the same copy is refused for ever by its own stamp.
func transient(code ballastv1.ResultCode) bool {
	return code == ballastv1.ResultCode_RESULT_CODE_TOO_OLD || code == ballastv1.ResultCode_RESULT_CODE_TOO_EARLY
}

// answersOf makes the answer that entries prove.
func answersOf(entries []*ballastv1.Entry, attempt uint32) []*ballastv1.Result {
	results := make([]*ballastv1.Result, len(entries))
	for i, e := range entries {
		results[i] = &ballastv1.Result{
			Code: ballastv1.ResultCode_RESULT_CODE_APPLIED, Attempt: attempt, Sequence: e.GetSequence(),
			DebitPosted: e.GetDebitPosted(), CreditPosted: e.GetCreditPosted(),
		}
	}
	return results
}

// books checks that each ledger sums to zero and that each account's entries lead to its balance.
func (t *Truth) books() (violations []Violation) {
	sums := map[string]int64{}
	walked := map[string]int64{}
	for _, e := range t.Entries {
		for _, side := range []struct {
			account        string
			change, posted int64
		}{
			{e.GetDebitAccount(), -e.GetAmount(), e.GetDebitPosted()},
			{e.GetCreditAccount(), e.GetAmount(), e.GetCreditPosted()},
		} {
			if side.account == "" || e.GetAmount() == 0 {
				continue
			}
			before := walked[side.account]
			walked[side.account] = before + side.change
			if walked[side.account] != side.posted {
				violations = append(violations, Violation{
					Unbalanced,
					fmt.Sprintf("%s was %d before entry %d of %d, which leaves it at %d", side.account, before, e.GetSequence(), side.change, side.posted),
				})
				walked[side.account] = side.posted
			}
		}
	}
	for _, a := range t.Accounts {
		sums[a.GetLedger()] += a.GetPosted()
		if posted := walked[a.GetId()]; posted != a.GetPosted() {
			violations = append(violations, Violation{Unbalanced, fmt.Sprintf("%s has %d, its entries lead to %d", a.GetId(), a.GetPosted(), posted)})
		}
		if a.GetPosted() < a.GetFloor() && !a.GetSystem() {
			violations = append(violations, Violation{Unbalanced, fmt.Sprintf("%s has %d, below its floor %d", a.GetId(), a.GetPosted(), a.GetFloor())})
		}
	}
	for ledger, sum := range sums {
		if sum != 0 {
			violations = append(violations, Violation{Unbalanced, fmt.Sprintf("ledger %s sums to %d", ledger, sum)})
		}
	}
	return violations
}
