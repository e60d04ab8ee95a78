package doctor

import (
	"fmt"
	"slices"
	"strings"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// checkHealth looks at what each member says of itself.
func checkHealth(c *chart) {
	for _, m := range c.answering() {
		c.phase(m)
		for _, s := range m.Status.GetScrubs() {
			if s.GetDamaged() == 0 {
				continue
			}
			c.add(Finding{
				Check: "damaged", Severity: Critical, Member: m.Name, Page: pageDisk,
				What:  fmt.Sprintf("%d damaged places in its %s", s.GetDamaged(), s.GetPart()),
				Do:    "check the disk and the memory of its host (smartctl, dmesg, a memory test); it mends what it can by itself, its log says more",
				DoNot: "do not copy files from another member",
			})
		}
		if m.Examination == nil && m.Listed {
			c.add(Finding{
				Check: "not-examined", Severity: Note, Member: m.Name, What: "it tells how it is and did not look at itself: " + m.ExamineErr,
				Do: "ask again; a program older than this command cannot", DoNot: "do not take what is missing here for being well",
			})
		}
	}
}

// phase tells of a member that does something else than to serve.
func (c *chart) phase(m *Member) {
	s := m.Status
	switch {
	case s.GetPhase() == ballastv1.Phase_PHASE_DIVERGED, s.GetDigestVerdict() == ballastv1.DigestVerdict_DIGEST_VERDICT_OUTVOTED:
		c.add(Finding{
			Check: "diverged", Severity: Critical, Member: m.Name, Page: pageDiverged, What: "its state is not that of the majority: " + s.GetState(),
			Do: "let it stop and start by itself: it takes in a sound state; then look at the memory and disk of its host", DoNot: "do not start it with an older copy of its data",
		})
	case s.GetDigestVerdict() == ballastv1.DigestVerdict_DIGEST_VERDICT_NO_MAJORITY:
		c.add(Finding{
			Check: "no-truth", Severity: Critical, Member: m.Name, Page: pageDiverged, What: "no state has a majority, and writes have stopped: " + s.GetDigestVerdictText(),
			Do: "keep every member's log and data, stop all, and verify each disk: ballastd snapshot verify", DoNot: "do not remove members until one state has the majority: that is choosing a truth by accident",
		})
	case s.GetPhase() == ballastv1.Phase_PHASE_NO_LEADER && c.Leader != "":
		c.add(Finding{
			Check: "follows-nobody", Severity: Warning, Member: m.Name, Page: pageLeader, What: fmt.Sprintf("%s leads, and it hears from no leader: %s", c.Leader, s.GetState()),
			Do: "look at the network between the two, both ways", DoNot: "do not restart " + c.Leader,
		})
	case slices.Contains([]ballastv1.Phase{
		ballastv1.Phase_PHASE_CATCHING_UP_FROM_LOG, ballastv1.Phase_PHASE_CATCHING_UP_FROM_PAGES, ballastv1.Phase_PHASE_WAITING_FOR_TURN, ballastv1.Phase_PHASE_BACKFILLING_JOURNAL,
	}, s.GetPhase()):
		c.add(Finding{
			Check: "catching-up", Severity: Note, Member: m.Name, Page: pageSlow, What: "it " + s.GetState(),
			Do: "let it go on: ballast status --watch shows how far it is", DoNot: "do not restart it, and do not stop another voter meanwhile",
		})
	case s.GetPhase() == ballastv1.Phase_PHASE_STOPPING:
		c.add(Finding{
			Check: "stopping", Severity: Note, Member: m.Name, What: "it " + s.GetState(), Do: "wait until it has ended, and start it again if nobody else does",
			DoNot: "do not kill it: it hands over what it has in hand",
		})
	}
}

// sorted joins texts in their order.
func sorted(texts []string) string {
	slices.Sort(texts)
	return strings.Join(texts, "; ")
}
