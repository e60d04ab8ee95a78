package history

import "fmt"

// Kind of a violation.
type Kind string

// Kinds of violations, each a promise that was broken.
const (
	// NotLinearizable: no order of the calls explains what was read and answered.
	NotLinearizable Kind = "not linearizable"
	// WentBack: a linearizable read showed an older index than a read that had ended before it began.
	WentBack Kind = "a read went back"
	// TwoAnswers: one attempt got two different answers.
	TwoAnswers Kind = "two answers to one attempt"
	// Lost: an acknowledged operation has no entry, or another one than was acknowledged.
	Lost Kind = "acknowledged and lost"
	// AppliedTwice: an id has two entries.
	AppliedTwice Kind = "applied twice"
	// RefusedTookEffect: a refused attempt has an entry.
	RefusedTookEffect Kind = "refused and took effect"
	// NotDoneTookEffect: an attempt of which every call was reported not done has an entry.
	NotDoneTookEffect Kind = "not done and took effect"
	// Forgotten: an answered attempt is not remembered, or otherwise.
	Forgotten Kind = "answer forgotten"
	// Stranger: an entry that nobody asked for.
	Stranger Kind = "entry that nobody asked for"
	// Unbalanced: the books of a ledger do not sum to zero, or an account's entries not to its balance.
	Unbalanced Kind = "books do not balance"
	// ClockLeapt: log time followed one member's wrong clock.
	ClockLeapt Kind = "log time leapt"
	// DigestsDiffer: two members have different digests at one index.
	DigestsDiffer Kind = "digests differ"
)

// Violation is one broken promise.
type Violation struct {
	Kind    Kind
	Message string
}

// String names the promise and the evidence.
func (v Violation) String() string { return fmt.Sprintf("%s: %s", v.Kind, v.Message) }
