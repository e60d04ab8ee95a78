package node

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/ballastdb/ballast/census"
	"github.com/ballastdb/ballast/datadir"
)

// refusal is why a member must not take part, with the commands that lead out. Nothing of its data was changed but the count of its
// openings.
func (n *node) refusal(v census.Verdict, self census.Self) *datadir.RefusedError {
	id, by := n.dir.Identity(), strings.Join(v.By, ", ")
	e := &datadir.RefusedError{Dir: n.dir.Root(), Expected: fmt.Sprintf("member %s of incarnation %s to be one of the cluster", id.Name, id.Incarnation)}
	remove := "ballast members remove " + id.Name
	add := "ballast members add " + n.Config.OperatorAddress
	anew := func(epoch uint64) string {
		return fmt.Sprintf("mv %s %s.old && %s; start it; %s", n.dir.Root(), n.dir.Root(), n.initAgain(epoch), add)
	}
	switch v.Standing {
	case census.Removed:
		e.Problem = datadir.Removed
		e.Found = fmt.Sprintf("%s no longer list it, as of log index %d: it was removed", by, v.Index)
		e.Remedy = "if it was removed for good, leave it stopped; to have it back as a new member: " + anew(self.Epoch)
	case census.Replaced:
		e.Problem = datadir.Replaced
		e.Found = fmt.Sprintf("%s list %s under another incarnation, %s, as of log index %d", by, id.Name, incarnation(v.Other.ID), v.Index)
		if self.Last > 0 {
			e.Remedy = "leave it stopped: this is the old disk of a member that has a new one; to have it as a member besides, make it under another name: " +
				strings.Replace(anew(self.Epoch), "--name "+id.Name, "--name OTHER_NAME", 1)
			break
		}
		e.Found += ": this data directory is new, and a new disk under an old name is a new member"
		e.Remedy = fmt.Sprintf("look for the old data before anything else (wrong path? disk not mounted?), and start on that; "+
			"if it is lost for good: %s; start this member again; %s", remove, add)
	case census.Taken:
		e.Problem = datadir.AddressTaken
		e.Expected = fmt.Sprintf("member_address %s to be this member's alone", self.Address)
		e.Found = fmt.Sprintf("%s list it as the address of %s, as of log index %d", by, v.Other.ID, v.Index)
		e.Remedy = fmt.Sprintf("set member_address to this host's own; or, if that member is gone for good: ballast members remove %s; start this one again; %s",
			nameOf(v.Other.ID), add)
	case census.RolledBack:
		e.Problem = datadir.RolledBack
		e.Expected = fmt.Sprintf("data that goes to at least opening %d, term %d and log index %d, as this member told %s",
			v.Remembered.Boots, v.Remembered.Term, v.Remembered.Applied, by)
		e.Found = fmt.Sprintf("opening %d, term %d, log index %d: an older copy of the disk, or a copy that runs elsewhere too", self.Boots, self.Term, self.Last)
		e.Remedy = fmt.Sprintf("never let it vote: it has forgotten what it promised; put the newest data back whole if it is there still, else give the member up: %s; %s",
			remove, anew(self.Epoch))
	case census.LeftBehind:
		e.Problem = datadir.LeftBehind
		e.Expected = fmt.Sprintf("a data directory of recovery epoch %d, as %s say", v.Epoch, by)
		e.Found = fmt.Sprintf("one of epoch %d: the cluster was recovered from a lost majority without it", self.Epoch)
		e.Remedy = "leave it stopped, and keep its disk until nobody misses a change; to have the host back as a new member: " + anew(v.Epoch)
	}
	return e
}

// initAgain is the command that makes this member's data directory anew.
func (n *node) initAgain(epoch uint64) string {
	id := n.dir.Identity()
	command := fmt.Sprintf("ballastd init --data-dir %s --cluster-id %s --name %s", n.dir.Root(), id.ClusterID, id.Name)
	if epoch > 0 {
		command += fmt.Sprintf(" --recovery-epoch %d", epoch)
	}
	return command
}

func nameOf(id string) string {
	name, _, _ := strings.Cut(id, "/")
	return name
}

func incarnation(id string) string {
	_, text, _ := strings.Cut(id, "/")
	if _, err := uuid.Parse(text); err != nil {
		return "unknown"
	}
	return text
}
