// Package doctor says in words what is wrong with a cluster, or soon will be: from what its members tell of themselves and of each
// other it makes findings, each with what to do and what not to. It asks nobody.
package doctor

import (
	"cmp"
	"slices"
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Severity of a finding. Higher is worse.
type Severity int

// Severities.
const (
	// Note: good to know, nothing to be done in a hurry.
	Note Severity = iota + 1
	// Warning: callers feel nothing yet; see to it soon.
	Warning
	// Critical: callers feel it, or the next failure makes them.
	Critical
)

// String is the severity in a word.
func (s Severity) String() string {
	switch s {
	case Note:
		return "note"
	case Warning:
		return "warning"
	case Critical:
		return "critical"
	}
	return "none"
}

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is one thing that is not as it should be.
type Finding struct {
	// Check is what found it, a name that stays the same.
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	// Member that it is about; empty: the whole, or several.
	Member string `json:"member"`
	// What was found; Do what to do about it; DoNot what would make it worse.
	What  string `json:"what"`
	Do    string `json:"do"`
	DoNot string `json:"do_not"`
	// Page of docs/runbooks that has more; empty: none.
	Page string `json:"page"`
}

// Member is one member, as it was found.
type Member struct {
	Name string
	// Listed: the newest configuration that anybody knows lists it; Voter: as one that votes.
	Listed, Voter bool
	// Status is its answer; nil: it gave none, and Err says why.
	Status *ballastv1.StatusResponse
	Err    string
	// Asked is when it was asked for its status, by the clock of who asked; Took how long until it answered.
	Asked time.Time
	Took  time.Duration
	// Examination is what it found when it looked; nil: it told nothing, and ExamineErr says why.
	Examination *ballastv1.ExamineResponse
	ExamineErr  string
}

// Evidence is everything that findings are made of.
type Evidence struct {
	// At is when it was gathered, by the clock of who did.
	At time.Time
	// Leader that a majority can follow, by name; empty: none.
	Leader  string
	Members []*Member
	// DigestsDiffer at DigestIndex: not all members have the same state there.
	DigestsDiffer bool
	DigestIndex   uint64
	// Own certificate of who asks; nil: there is no TLS.
	Own *ballastv1.Certificate
}

// Judge makes the findings, the worst first.
func Judge(e *Evidence) []Finding {
	c := &chart{Evidence: e}
	for _, check := range []func(*chart){
		checkAnswers, checkQuorum, checkHistories, checkHealth, checkClocks, checkDisks, checkCertificates, checkWays, checkConfiguration, checkVersions,
	} {
		check(c)
		if c.over {
			break
		}
	}
	slices.SortStableFunc(c.found, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	return c.found
}

// Worst is the severity of the worst of findings; 0: there are none.
func Worst(findings []Finding) (worst Severity) {
	for _, f := range findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

// chart is what is judged, and what was found so far.
type chart struct {
	*Evidence
	found []Finding
	// over: nothing else can be said.
	over bool
}

func (c *chart) add(f Finding) { c.found = append(c.found, f) }

// answering are the members that told how they are.
func (c *chart) answering() (list []*Member) {
	for _, m := range c.Members {
		if m.Status != nil {
			list = append(list, m)
		}
	}
	return list
}

// examined are the members that looked at themselves.
func (c *chart) examined() (list []*Member) {
	for _, m := range c.Members {
		if m.Examination != nil {
			list = append(list, m)
		}
	}
	return list
}

// named is the member of a name; nil: nobody has it.
func (c *chart) named(name string) *Member {
	for _, m := range c.Members {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// voters are how many there are, and how many of them answer.
func (c *chart) voters() (all, answer int) {
	for _, m := range c.Members {
		if !m.Voter {
			continue
		}
		all++
		if m.Status != nil {
			answer++
		}
	}
	return all, answer
}
