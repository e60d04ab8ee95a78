package doctor

import (
	"fmt"
	"strings"
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// slowWay is how long a connection and one question may take before it is told.
const slowWay = 500 * time.Millisecond

// checkWays looks whether every member reaches every other.
func checkWays(c *chart) {
	for _, m := range c.examined() {
		for _, name := range c.tried(m) {
			c.way(m, name)
		}
	}
}

// tried are the members that one tried to reach, each once.
func (c *chart) tried(m *Member) (names []string) {
	seen := map[string]bool{}
	for _, r := range m.Examination.GetReaches() {
		if !seen[r.GetName()] {
			seen[r.GetName()] = true
			names = append(names, r.GetName())
		}
	}
	return names
}

// way tells what is wrong with the ways from one member to another. That a member is reached by nobody is told once, elsewhere.
func (c *chart) way(from *Member, to string) {
	var lost []string
	member, slowest := false, time.Duration(0)
	for _, r := range from.Examination.GetReaches() {
		switch {
		case r.GetName() != to:
		case r.GetTook() == nil:
			lost = append(lost, fmt.Sprintf("%s address %s (%s)", wayText(r.GetWay()), r.GetAddress(), r.GetError()))
			member = member || r.GetWay() == ballastv1.Way_WAY_MEMBER
		default:
			slowest = max(slowest, r.GetTook().AsDuration())
		}
	}
	if other := c.named(to); len(lost) > 0 && other != nil && other.Status == nil && len(c.reachedBy(to)) == 0 {
		return
	}
	switch {
	case len(lost) > 0:
		f := Finding{
			Check: "unreachable", Severity: Warning, Member: from.Name, Page: pageSlow,
			What:  fmt.Sprintf("it does not reach %s: %s", to, strings.Join(lost, "; ")),
			Do:    fmt.Sprintf("look at the network, the firewall and the certificates between %s and %s, in this direction", from.Name, to),
			DoNot: "do not restart either of them: who is connected stays so until then",
		}
		if member && (from.Name == c.Leader || to == c.Leader) {
			f.Severity = Critical
		}
		c.add(f)
	case slowest >= slowWay:
		c.add(Finding{
			Check: "slow-way", Severity: Note, Member: from.Name, Page: pageSlow, What: fmt.Sprintf("it takes %s to reach %s", slowest.Round(time.Millisecond), to),
			Do: "look at the network between the two, and at the load of both hosts", DoNot: "do not raise heartbeat_timeout to hide it",
		})
	}
}

func wayText(w ballastv1.Way) string {
	return strings.ToLower(strings.TrimPrefix(w.String(), "WAY_"))
}
