package server

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/page"
)

// Judgement is what the members' digests at checkpoints say about this member's state.
type Judgement int

// Judgements. Every member with the same log has the same state, so a digest that a majority of the voters has is right.
const (
	// Undecided: nobody differs, and too few have told yet.
	Undecided Judgement = iota
	// Agreed: a majority of the voters has the digest that this member has.
	Agreed
	// Outvoted: a majority of the voters has another one. This member's state is wrong.
	Outvoted
	// NoMajority: digests differ, and none is known to be that of a majority: nobody can tell who is right.
	NoMajority
)

// Verdict is a judgement and what it rests on.
type Verdict struct {
	Judgement Judgement
	// Index of the checkpoint.
	Index uint64
	// Own digest there, and the majority's where there is one.
	Own, Majority page.Digest
	// Differ are the members whose digest is not the majority's, this one included; where there is no majority, not this
	// member's.
	Differ []raft.ServerID
	// LastAgreed is the newest checkpoint at which this member had what the majority had; 0: none is known.
	LastAgreed uint64
}

// String says it in words.
func (v Verdict) String() string {
	switch v.Judgement {
	case Agreed:
		return fmt.Sprintf("at checkpoint %d the majority has the digest %v, and so has this member", v.Index, v.Majority)
	case Outvoted:
		return fmt.Sprintf("at checkpoint %d the state of this member has the digest %v, and that of the majority %v", v.Index, v.Own, v.Majority)
	case NoMajority:
		return fmt.Sprintf("at checkpoint %d the state of this member has the digest %v, %s another, and no digest is known to be that of a majority",
			v.Index, v.Own, names(v.Differ))
	}
	return "too few members have told their digests"
}

func names(ids []raft.ServerID) string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = memberName(id)
	}
	return strings.Join(list, ", ")
}

// reports are the checkpoints that each member told; a member that told none is missing.
type reports map[raft.ServerID][]fsm.Checkpoint

// judge finds what the reports say about self, from its newest checkpoint on back. A checkpoint is part of the state: who
// differs at one differs at all later ones too.
func judge(self raft.ServerID, voters []raft.ServerID, told reports) Verdict {
	var result, dispute Verdict
	for _, checkpoint := range told[self] {
		v := judgeAt(self, voters, told, checkpoint)
		switch {
		case v.Judgement == Outvoted:
			// An older verdict of this kind weighs as much as a newer one; what is left to find is where it still agreed.
			if result.Judgement != Outvoted {
				result = v
			}
		case v.Judgement == NoMajority && dispute.Judgement == Undecided && result.Judgement == Undecided:
			dispute = v // what was in doubt before an agreement no longer is
		case v.Judgement == Agreed && result.LastAgreed == 0:
			if result.Judgement == Undecided {
				result = v
			}
			result.LastAgreed = v.Index
		}
	}
	if result.Judgement == Outvoted || dispute.Judgement == Undecided || resolved(dispute, result) {
		return result
	}
	dispute.LastAgreed = result.LastAgreed
	return dispute
}

// resolved reports whether all who differ in a dispute are known, by an older checkpoint, to be those who are wrong.
func resolved(dispute, older Verdict) bool {
	return older.Judgement == Agreed && !slices.ContainsFunc(dispute.Differ, func(id raft.ServerID) bool {
		return !slices.Contains(older.Differ, id)
	})
}

// judgeAt judges by one checkpoint of this member's.
func judgeAt(self raft.ServerID, voters []raft.ServerID, told reports, own fsm.Checkpoint) Verdict {
	v := Verdict{Index: own.Index, Own: own.Digest}
	digests := at(told, own.Index)
	votes := map[page.Digest]int{}
	for _, id := range voters {
		if digest, ok := digests[id]; ok {
			votes[digest]++
			if votes[digest] > len(voters)/2 {
				v.Majority, v.Judgement = digest, Agreed
			}
		}
	}
	agreed := own.Digest
	if v.Judgement == Agreed {
		agreed = v.Majority
	}
	for id, digest := range digests {
		if digest != agreed {
			v.Differ = append(v.Differ, id)
		}
	}
	slices.Sort(v.Differ)
	switch {
	case v.Judgement == Agreed && v.Majority != own.Digest:
		v.Judgement = Outvoted
	case v.Judgement == Undecided && disputed(self, voters, v.Differ):
		v.Judgement = NoMajority
	}
	return v
}

// disputed reports whether a difference concerns the vote: a member that does not vote cannot put it in doubt.
func disputed(self raft.ServerID, voters, differ []raft.ServerID) bool {
	return slices.Contains(voters, self) && slices.ContainsFunc(differ, func(id raft.ServerID) bool { return slices.Contains(voters, id) })
}

// at are the digests that members had at an index.
func at(told reports, index uint64) map[raft.ServerID]page.Digest {
	digests := map[raft.ServerID]page.Digest{}
	for id, list := range told {
		if i := slices.IndexFunc(list, func(c fsm.Checkpoint) bool { return c.Index == index }); i >= 0 {
			digests[id] = list[i].Digest
		}
	}
	return digests
}
