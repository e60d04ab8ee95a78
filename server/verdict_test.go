package server

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/page"
)

// toldIn makes reports of text: "a:3x,2x b:3y" is a with digest x at checkpoints 3 and 2, b with y at 3.
func toldIn(text string) reports {
	r := reports{}
	for _, member := range strings.Fields(text) {
		id, list, _ := strings.Cut(member, ":")
		for _, c := range strings.Split(list, ",") {
			r[raft.ServerID(id)] = append(r[raft.ServerID(id)], fsm.Checkpoint{Index: uint64(c[0] - '0'), Digest: page.Digest{uint64(c[1])}})
		}
	}
	return r
}

func idsIn(text string) (list []raft.ServerID) {
	for _, id := range strings.Fields(text) {
		list = append(list, raft.ServerID(id))
	}
	return list
}

// TestJudge is the whole table of what a, who asks, is told.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		voters, told string
		want         Judgement
		index        uint64
		differ       string
		agreed       uint64
	}{
		"all agree":                        {"a b c", "a:3x b:3x c:3x", Agreed, 3, "", 3},
		"a majority is enough":             {"a b c", "a:3x b:3x", Agreed, 3, "", 3},
		"alone it is not":                  {"a b c", "a:3x", Undecided, 0, "", 0},
		"half is not":                      {"a b c d", "a:3x b:3x", Undecided, 0, "", 0},
		"one voter is a majority":          {"a", "a:3x", Agreed, 3, "", 3},
		"nothing to compare yet":           {"a b c", "b:3x c:3x", Undecided, 0, "", 0},
		"another is wrong":                 {"a b c", "a:3x b:3x c:3y", Agreed, 3, "c", 3},
		"this one is wrong":                {"a b c", "a:3y b:3x c:3x", Outvoted, 3, "a", 0},
		"wrong since the newest":           {"a b c", "a:3y,2x b:3x,2x c:3x,2x", Outvoted, 3, "a", 2},
		"wrong for long":                   {"a b c", "a:4z,3y,2x b:4x,3x,2x c:4x,3x,2x", Outvoted, 4, "a", 2},
		"wrong, the newest not yet told":   {"a b c", "a:4z,3y,2x b:3x,2x c:3x,2x", Outvoted, 3, "a", 2},
		"two, and they differ":             {"a b c", "a:3x b:3y", NoMajority, 3, "b", 0},
		"three, and all differ":            {"a b c", "a:3x b:3y c:3z", NoMajority, 3, "b c", 0},
		"of two voters nobody is right":    {"a b", "a:3x,2x b:3y,2x", NoMajority, 3, "b", 2},
		"two against two":                  {"a b c d", "a:3x b:3x c:3y d:3y", NoMajority, 3, "c d", 0},
		"three against two":                {"a b c d e", "a:3x b:3x c:3y d:3y e:3x", Agreed, 3, "c d", 3},
		"others have not come so far":      {"a b c", "a:4x,3x b:3x c:3x", Agreed, 3, "", 3},
		"others have gone further":         {"a b c", "a:2x b:9x,2x c:9x,2x", Agreed, 2, "", 2},
		"nothing in common":                {"a b c", "a:2x b:9x c:9x", Undecided, 0, "", 0},
		"a non-voter is wrong":             {"a b c", "a:3x b:3x c:3x d:3y", Agreed, 3, "d", 3},
		"a non-voter casts no doubt":       {"a b c", "a:3x d:3y", Undecided, 0, "", 0},
		"it does not vote and is wrong":    {"b c d", "a:3y b:3x c:3x", Outvoted, 3, "a", 0},
		"it does not vote and differs":     {"b c d", "a:3y b:3x", Undecided, 0, "", 0},
		"it does not vote and is right":    {"b c d", "a:3x b:3x c:3x", Agreed, 3, "", 3},
		"who differs is known to be wrong": {"a b c", "a:4x,3x b:3x c:4z,3y", Agreed, 3, "c", 3},
		"one more differs":                 {"a b c", "a:4x,3x b:4y,3x c:3z", NoMajority, 4, "b", 3},
		"a dispute behind an agreement":    {"a b c", "a:4x,3x b:4y,3x c:3x", NoMajority, 4, "b", 3},
		"a dispute that was settled":       {"a b c", "a:4x,3x b:4x c:3y,4x", Agreed, 4, "", 4},
	} {
		t.Run(name, func(t *testing.T) {
			v := judge("a", idsIn(c.voters), toldIn(c.told))
			if v.Judgement != c.want || v.Judgement != Undecided && v.Index != c.index {
				t.Errorf("%d at %d, want %d at %d: %v", v.Judgement, v.Index, c.want, c.index, v)
			}
			if v.Judgement != Undecided && (!slices.Equal(v.Differ, idsIn(c.differ)) || v.LastAgreed != c.agreed) {
				t.Errorf("%v differ, agreed at %d, want %q, %d", v.Differ, v.LastAgreed, c.differ, c.agreed)
			}
		})
	}
}
