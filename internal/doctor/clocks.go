package doctor

import (
	"fmt"
	"slices"
	"time"
)

const (
	// clockTolerance is how far a clock may be off: what a leader's may (docs/decisions/0007).
	clockTolerance = 2 * time.Second
	// callerTolerance is how far the clock of who asks may be off: an operation stamped a minute ahead of log time is refused.
	callerTolerance = 10 * time.Second
)

// reading is how far a member's clock is ahead of the clock of who asked, at most err wrong.
type reading struct {
	member     *Member
	ahead, err time.Duration
}

func (c *chart) readings() (list []reading) {
	for _, m := range c.answering() {
		if own := m.Status.GetClock().GetOwn(); own != 0 {
			list = append(list, reading{m, time.Unix(0, own).Sub(m.Asked.Add(m.Took / 2)), m.Took / 2})
		}
	}
	return list
}

// checkClocks compares the members' clocks with each other and with that of who asks, and log time with them.
func checkClocks(c *chart) {
	readings := c.readings()
	if len(readings) > 0 {
		var all []time.Duration
		for _, r := range readings {
			all = append(all, r.ahead)
		}
		slices.Sort(all)
		c.clocks(readings, all[(len(all)-1)/2])
	}
	if leader := c.named(c.Leader); leader != nil && leader.Status.GetClock().GetCluster() != 0 {
		clock := leader.Status.GetClock()
		c.logTime(time.Duration(clock.GetMedian() - clock.GetCluster()))
	}
}

func (c *chart) clocks(readings []reading, median time.Duration) {
	near := 0
	var off []Finding
	for _, r := range readings {
		by := r.ahead - median
		if by.Abs() <= clockTolerance+r.err {
			near++
			continue
		}
		off = append(off, Finding{
			Check: "clock-off", Severity: Warning, Member: r.member.Name, What: fmt.Sprintf("its clock is %s the others'", aheadOf(by)),
			Do:    "mend the clock of its host: is time synchronised there (chronyc tracking, timedatectl)? Log time goes by the median, so nothing is harmed yet",
			DoNot: "do not set the clocks of the others by it; log time needs no mending for this",
		})
	}
	switch {
	case near <= len(readings)/2:
		c.add(Finding{
			Check: "clocks-disagree", Severity: Critical, What: fmt.Sprintf("of %d clocks only %d are within %s of their median: log time may go by a wrong one", len(readings), near, clockTolerance),
			Do:    "mend the clocks of the hosts, those first that are furthest off: ballast clock show",
			DoNot: "do not run ballast clock mend before a majority agrees",
		})
	case median.Abs() > callerTolerance+readings[0].err:
		c.add(Finding{
			Check: "caller-clock", Severity: Warning, What: fmt.Sprintf("the clock of this machine is %s the members'", aheadOf(-median)),
			Do:    "mend the clock of this machine: programs that stamp operations by it may be refused as too early or too old",
			DoNot: "do not turn the members' clocks",
		})
	}
	for _, f := range off {
		c.add(f)
	}
}

// logTime tells of log time that is not what the clocks show.
func (c *chart) logTime(behind time.Duration) {
	switch {
	case behind > clockTolerance:
		c.add(Finding{
			Check: "log-time-behind", Severity: Warning, Member: c.Leader, What: fmt.Sprintf("log time is %s behind the median of the voters' clocks", round(behind)),
			Do:    fmt.Sprintf("if the clocks are right, wait (it runs at double speed), or: ballast clock mend --forward %s", round(behind)),
			DoNot: "do not mend it while a clock is wrong: what ends on the way has ended for good",
		})
	case behind < -clockTolerance:
		c.add(Finding{
			Check: "log-time-ahead", Severity: Warning, Member: c.Leader, What: fmt.Sprintf("log time is %s ahead of the median of the voters' clocks", round(-behind)),
			Do: "nothing: it runs at half speed until the clocks have come up to it", DoNot: "do not set clocks forward to meet it",
		})
	}
}

func aheadOf(by time.Duration) string {
	if by < 0 {
		return round(-by).String() + " behind"
	}
	return round(by).String() + " ahead of"
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
