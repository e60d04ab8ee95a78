package census

import (
	"slices"

	"github.com/ballastdb/ballast/internal/guard"
)

// Judge says how a member stands by what others answered; at most one answer of each counts, the last.
func Judge(self Self, answers []Answer) Verdict {
	answers = oneEach(self, answers)
	if v := forgotten(self, answers); v.Final() {
		return v
	}
	own := newest(answers, func(a Answer) bool { return a.Epoch == self.Epoch })
	v := listed(self, own, answers)
	if v.Standing != Unknown || self.Sole {
		return v
	}
	return leftBehind(self, answers)
}

// oneEach keeps the last answer of each member other than self.
func oneEach(self Self, answers []Answer) (kept []Answer) {
	for i, a := range answers {
		later := slices.ContainsFunc(answers[i+1:], func(b Answer) bool { return b.ID == a.ID })
		if a.ID != self.ID && !later {
			kept = append(kept, a)
		}
	}
	return kept
}

// forgotten finds a member that heard more from self than self's disk has. One is enough: this is no opinion, and a disk that has
// forgotten a vote, or what it acknowledged, must do neither again.
func forgotten(self Self, answers []Answer) Verdict {
	for _, a := range answers {
		if r := a.Remembered; r != nil && a.Epoch == self.Epoch && Contradicts(self, *r) && guard.On("rolled-back") {
			return Verdict{Standing: RolledBack, By: []string{nameOf(a.ID)}, Remembered: *r, Index: a.Configuration}
		}
	}
	return Verdict{Standing: Unknown}
}

// Contradicts tells whether what is remembered cannot have been said by the disk that self is on now.
func Contradicts(self Self, remembered Fact) bool {
	return remembered.Boots > self.Boots || remembered.Boots == self.Boots && remembered.Token != self.Token ||
		remembered.Term > self.Term || remembered.Applied > self.Last
}

// newest is the answer with the newest configuration of those wanted; nil: none has any.
func newest(answers []Answer, wanted func(Answer) bool) *Answer {
	var found *Answer
	for i := range answers {
		if a := &answers[i]; wanted(*a) && a.Configuration > 0 && (found == nil || a.Configuration > found.Configuration) {
			found = a
		}
	}
	return found
}

// listed judges by the newest configuration of self's own epoch, if a majority of its voters bears it out.
func listed(self Self, by *Answer, answers []Answer) Verdict {
	if by == nil {
		return Verdict{Standing: Unknown}
	}
	member := by.lists(self.ID)
	// Those who agree. Configurations differ by one member from one to the next, so their majorities meet: were there a newer one
	// that is committed and says otherwise, one of these had it.
	names, committed := agreeing(*by, answers, func(a Answer) bool { return a.Epoch == self.Epoch && a.lists(self.ID) == member })
	if member && self.Last > 0 && votes(by.Members, self.ID) {
		names = append(names, nameOf(self.ID))
	}
	if !majority(by.Members, len(names)) {
		return Verdict{Standing: Unknown}
	}
	v := Verdict{Standing: Unlisted, By: names, Index: by.Configuration}
	other, taken := inTheWay(self, by.Members, member)
	switch {
	case member && !taken:
		v.Standing = Listed
	case !committed, !member && self.Configuration >= by.Configuration:
		v.Standing = Unknown // it may yet be undone, or self has a newer one
	case taken && other.name() == nameOf(self.ID):
		v.Standing, v.Other = Replaced, other
	case taken:
		v.Standing, v.Other = Taken, other
	case self.Last > 0:
		v.Standing = Removed
	}
	return v
}

// inTheWay is another member that has self's name, or else its address. One that was removed has lost its address to nobody's harm.
func inTheWay(self Self, members []Member, listed bool) (Member, bool) {
	for _, same := range []func(Member) bool{
		func(m Member) bool { return m.ID != self.ID && m.name() == nameOf(self.ID) },
		func(m Member) bool { return m.ID != self.ID && m.Address == self.Address && (listed || self.Last == 0) },
	} {
		if i := slices.IndexFunc(members, same); i >= 0 {
			return members[i], true
		}
	}
	return Member{}, false
}

// leftBehind judges by the newest epoch, if a majority of its own members bears it out. It is asked only where self's own epoch has
// no majority that answers: a cluster that works is not stopped by one member that was recovered beside it.
func leftBehind(self Self, answers []Answer) Verdict {
	epoch := self.Epoch
	for _, a := range answers {
		epoch = max(epoch, a.Epoch)
	}
	ofEpoch := func(a Answer) bool { return a.Epoch == epoch }
	by := newest(answers, ofEpoch)
	if epoch == self.Epoch || by == nil {
		return Verdict{Standing: Unknown}
	}
	names, _ := agreeing(*by, answers, ofEpoch)
	if !majority(by.Members, len(names)) {
		return Verdict{Standing: Unknown}
	}
	return Verdict{Standing: LeftBehind, By: names, Index: by.Configuration, Epoch: epoch}
}

// agreeing are the names of by's voters whose answers are as wanted, and whether one of them knows that by's configuration is
// committed.
func agreeing(by Answer, answers []Answer, wanted func(Answer) bool) (names []string, committed bool) {
	for _, a := range answers {
		if !votes(by.Members, a.ID) || !wanted(a) {
			continue
		}
		names = append(names, nameOf(a.ID))
		committed = committed || a.Committed && a.Configuration == by.Configuration
	}
	return names, committed
}

func votes(members []Member, id string) bool {
	return slices.ContainsFunc(members, func(m Member) bool { return m.ID == id && m.Voter })
}

// majority tells whether count is one of the voters.
func majority(members []Member, count int) bool {
	voters := 0
	for _, m := range members {
		if m.Voter {
			voters++
		}
	}
	return count > voters/2
}
