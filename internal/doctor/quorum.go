package doctor

import (
	"fmt"
	"strings"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Pages of docs/runbooks.
const (
	pageLeader        = "docs/runbooks/leader-lost.md"
	pageQuorum        = "docs/runbooks/quorum-lost.md"
	pageMember        = "docs/runbooks/member-lost.md"
	pageSlow          = "docs/runbooks/slow-member.md"
	pageDisk          = "docs/runbooks/disk-replaced.md"
	pageFull          = "docs/runbooks/disk-full.md"
	pageCertificate   = "docs/runbooks/certificate-ending.md"
	pageConfiguration = "docs/runbooks/bad-configuration.md"
	pageDiverged      = "docs/runbooks/diverged.md"
)

// checkAnswers looks who answers at all.
func checkAnswers(c *chart) {
	all, _ := c.voters()
	switch {
	case len(c.answering()) == 0:
		c.over = true
		c.add(Finding{
			Check: "nobody-answers", Severity: Critical, Page: pageQuorum,
			What:  "no member answers" + reasons(c.Members),
			Do:    "check that the addresses and certificates that you give are right, then start the members: systemctl start ballastd, on each host",
			DoNot: "do not wipe or recover anything: a majority that starts has everything that was acknowledged",
		})
		return
	case all == 0:
		c.over = true
		c.add(Finding{
			Check: "no-cluster", Severity: Warning, What: "no cluster has been formed by the members that answer",
			Do:    "make the first member with ballast cluster bootstrap --node HOST:PORT, once, on one of them; the others join it",
			DoNot: "do not bootstrap a second one: it would be a cluster of its own",
		})
		return
	}
	for _, m := range c.Members {
		switch {
		case m.Listed && m.Status == nil:
			c.silent(m)
		case !m.Listed && m.Status != nil:
			c.add(Finding{
				Check: "not-a-member", Severity: Note, Member: m.Name, What: "it runs and is not a member of this cluster",
				Do: "ballast members add " + m.Status.GetOperatorAddress() + ", if it is to be one", DoNot: "do not send clients to it",
			})
		}
	}
}

// reasons are why members do not answer, in brackets.
func reasons(members []*Member) string {
	var texts []string
	for _, m := range members {
		if m.Err != "" {
			texts = append(texts, m.Name+": "+m.Err)
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return " (" + strings.Join(texts, "; ") + ")"
}

// silent tells of a member that does not answer: whether the others reach it says where to look.
func (c *chart) silent(m *Member) {
	f := Finding{
		Check: "member-silent", Severity: Warning, Member: m.Name, Page: pageMember,
		What:  "it does not answer: " + m.Err,
		Do:    "look at its host: systemctl status ballastd, journalctl -u ballastd; starting it again is always safe",
		DoNot: "do not wipe its data directory, and do not remove it before a new member is there to take its place",
	}
	if reached := c.reachedBy(m.Name); len(reached) > 0 {
		f.What += "; " + strings.Join(reached, ", ") + " reach it: it is the way from here to it that is cut"
		f.Do = "look at the network and the firewall between this machine and " + m.Name + ", and at its client address"
		f.DoNot = "do not restart it"
	}
	c.add(f)
}

// reachedBy are the members that reach one at its member address.
func (c *chart) reachedBy(name string) (list []string) {
	for _, m := range c.examined() {
		for _, r := range m.Examination.GetReaches() {
			if r.GetName() == name && r.GetWay() == ballastv1.Way_WAY_MEMBER && r.GetTook() != nil {
				list = append(list, m.Name)
			}
		}
	}
	return list
}

// checkQuorum looks how many voters may fail.
func checkQuorum(c *chart) {
	all, answer := c.voters()
	majority := all/2 + 1
	switch {
	case answer < majority:
		c.add(Finding{
			Check: "no-majority", Severity: Critical, Page: pageQuorum,
			What:  fmt.Sprintf("%d of %d voters answer, %d are needed: writes wait, reads need --stale", answer, all, majority),
			Do:    "start the voters that do not answer: systemctl start ballastd, on their hosts",
			DoNot: "do not run ballast cluster recover while a majority may still start: it gives up what was acknowledged by the others",
		})
	case c.Leader == "":
		c.add(Finding{
			Check: "no-leader", Severity: Critical, Page: pageLeader,
			What:  fmt.Sprintf("%d of %d voters answer, and none leads", answer, all),
			Do:    "ask again in some seconds: an election takes about one; if it stays so, see which members do not reach each other",
			DoNot: "do not restart them all at once: each has to find its place again",
		})
	case all >= 3 && answer == majority:
		c.add(Finding{
			Check: "no-spare", Severity: Warning, Page: pageMember,
			What:  fmt.Sprintf("%d of %d voters answer, which is just a majority: the next failure stops writes", answer, all),
			Do:    "bring back who does not answer first",
			DoNot: "do not stop, upgrade or remove another voter until then",
		})
	}
	switch {
	case all == 1 && len(c.Members) == 1:
		c.add(Finding{
			Check: "alone", Severity: Warning, What: "one voter is all there is: its disk is the only copy of everything",
			Do: "add two more members: ballast members add HOST:PORT", DoNot: "do not take this for a cluster that survives a failure",
		})
	case all == 2:
		c.add(Finding{
			Check: "two-voters", Severity: Warning, What: "of two voters both are needed: it is no safer against a failure than one",
			Do: "add a third: ballast members add HOST:PORT", DoNot: "do not remove one without --force being asked for: read why",
		})
	case all%2 == 0:
		c.add(Finding{
			Check: "even-voters", Severity: Note, What: fmt.Sprintf("%d voters survive as many failures as %d, and every write asks one more", all, all-1),
			Do: "add one, or remove one when all are well", DoNot: "do not remove one while another is down",
		})
	}
}

// checkHistories looks whether all are of one cluster with one history and one state.
func checkHistories(c *chart) {
	clusters, epochs := map[string][]string{}, map[uint64][]string{}
	for _, m := range c.answering() {
		clusters[m.Status.GetClusterId()] = append(clusters[m.Status.GetClusterId()], m.Name)
		epochs[m.Status.GetRecoveryEpoch()] = append(epochs[m.Status.GetRecoveryEpoch()], m.Name)
	}
	if len(clusters) > 1 {
		c.add(Finding{
			Check: "two-clusters", Severity: Critical, What: "the members that answer belong to different clusters: " + groups(clusters),
			Do: "check the addresses that you give, and those that the members were configured with", DoNot: "do not join one of them to the other",
		})
	} else if len(epochs) > 1 {
		c.add(Finding{
			Check: "two-histories", Severity: Critical, Page: pageQuorum,
			What:  "the cluster was recovered without some of the members that run; recovery epochs: " + groups(epochs),
			Do:    "stop those of the lower epoch for good, keep their disks, and compare their books of record with the others'",
			DoNot: "do not let callers reach those of the lower epoch, and do not wipe their disks before the books were compared",
		})
	}
	if c.DigestsDiffer {
		c.add(Finding{
			Check: "digests-differ", Severity: Critical, Page: pageDiverged,
			What:  fmt.Sprintf("the members' states differ at log index %d", c.DigestIndex),
			Do:    "find out which one is wrong: it says so itself once a majority of the others has compared",
			DoNot: "do not restart or remove anything before you know which one",
		})
	}
}

// groups are the names that go with each value.
func groups[K ~string | ~uint64](by map[K][]string) string {
	var texts []string
	for value, names := range by {
		texts = append(texts, fmt.Sprintf("%v of %s", value, strings.Join(names, ", ")))
	}
	return sorted(texts)
}
