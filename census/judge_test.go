package census

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

const (
	idA, idB, idC, idC2, idD = "a/1", "b/1", "c/1", "c/2", "d/1"
)

// voters of ids, each at the address of its name.
func voters(ids ...string) (list []Member) {
	for _, id := range ids {
		list = append(list, Member{ID: id, Address: nameOf(id) + ":1", Voter: true})
	}
	return list
}

// sees is the answer of a member with a committed configuration.
func sees(id string, index uint64, members []Member) Answer {
	return Answer{ID: id, Configuration: index, Committed: true, Members: members}
}

func with(a Answer, change func(*Answer)) Answer {
	change(&a)
	return a
}

// c is the member that asks in all of the table: it has state, and was opened three times.
func c() Self {
	return Self{ID: idC, Address: "c:1", Fact: Fact{Boots: 3, Token: 33, Term: 5}, Last: 100, Configuration: 10}
}

func fresh() Self { return Self{ID: idC, Address: "c:1", Fact: Fact{Boots: 1, Token: 11}} }

func TestJudge(t *testing.T) {
	three, without := voters(idA, idB, idC), voters(idA, idB)
	uncommitted := func(a *Answer) { a.Committed = false }
	epoch := func(n uint64) func(*Answer) { return func(a *Answer) { a.Epoch = n } }
	remembers := func(f Fact) func(*Answer) { return func(a *Answer) { a.Remembered = &f } }
	for name, row := range map[string]struct {
		self    Self
		answers []Answer
		want    Standing
	}{
		"nobody answers":                 {c(), nil, Unknown},
		"one of three and itself":        {c(), []Answer{sees(idA, 10, three)}, Listed},
		"one of five and itself":         {c(), []Answer{sees(idA, 10, voters(idA, idB, idC, "d/1", "e/1"))}, Unknown},
		"a member that knows no cluster": {c(), []Answer{{ID: idA}}, Unknown},
		"its own answer counts nothing":  {c(), []Answer{sees(idC, 11, without)}, Unknown},
		"removed, says one of two":       {c(), []Answer{sees(idA, 11, without)}, Unknown},
		"removed, says one of two, twice": {
			c(), []Answer{sees(idA, 11, without), sees(idA, 11, without)}, Unknown,
		},
		"removed, say both":                      {c(), []Answer{sees(idA, 11, without), sees(idB, 11, without)}, Removed},
		"removed, and nobody knows it committed": {c(), []Answer{with(sees(idA, 11, without), uncommitted), with(sees(idB, 11, without), uncommitted)}, Unknown},
		"removed, says one, and the other has not heard of it": {
			c(), []Answer{sees(idA, 11, without), sees(idB, 10, three)}, Unknown,
		},
		"removed and added again, and one has not heard of it": {
			c(), []Answer{sees(idA, 11, without), sees(idB, 12, three)}, Listed,
		},
		"they know less than it does": {c(), []Answer{sees(idA, 9, without), sees(idB, 9, without)}, Unknown},
		"its name is another's": {
			c(), []Answer{sees(idA, 12, voters(idA, idB, idC2)), sees(idB, 12, voters(idA, idB, idC2))}, Replaced,
		},
		"a wiped disk": {fresh(), []Answer{sees(idA, 12, voters(idA, idB, idC2)), sees(idB, 12, voters(idA, idB, idC2))}, Replaced},
		"a wiped disk, says the leader of three alone": {fresh(), []Answer{sees(idA, 12, voters(idA, idB, idC2))}, Unknown},
		"a new member":                 {fresh(), []Answer{sees(idA, 12, without), sees(idB, 12, without)}, Unlisted},
		"a new member being added":     {fresh(), []Answer{sees(idA, 13, three), sees(idB, 12, without)}, Unknown},
		"a new member just added":      {fresh(), []Answer{sees(idA, 13, three), sees(idB, 13, three)}, Listed},
		"a new member's address":       {withAddress(fresh(), "b:1"), []Answer{sees(idA, 12, without), sees(idB, 12, without)}, Taken},
		"an address, and not new":      {withAddress(c(), "b:1"), []Answer{sees(idA, 12, three), sees(idB, 12, three)}, Taken},
		"an address of its own, new":   {withAddress(c(), "x:1"), []Answer{sees(idA, 12, three), sees(idB, 12, three)}, Listed},
		"fewer boots than remembered":  {c(), []Answer{with(sees(idA, 10, three), remembers(Fact{Boots: 4, Token: 44}))}, RolledBack},
		"the same boots, another time": {c(), []Answer{with(sees(idA, 10, three), remembers(Fact{Boots: 3, Token: 44}))}, RolledBack},
		"an older term":                {c(), []Answer{with(sees(idA, 10, three), remembers(Fact{Boots: 2, Term: 6}))}, RolledBack},
		"a shorter log":                {c(), []Answer{with(sees(idA, 10, three), remembers(Fact{Boots: 2, Applied: 101}))}, RolledBack},
		"all that is remembered": {
			c(), []Answer{with(sees(idA, 10, three), remembers(Fact{Boots: 3, Token: 33, Term: 5, Applied: 100}))}, Listed,
		},
		"what another history remembers": {
			c(), []Answer{with(sees(idA, 10, three), func(a *Answer) { a.Epoch, a.Remembered = 9, &Fact{Boots: 9} })}, Unknown,
		},
		"a recovered cluster of one":         {c(), []Answer{with(sees(idA, 200, voters(idA)), epoch(7))}, LeftBehind},
		"and its own members are a majority": {c(), []Answer{with(sees(idA, 200, voters(idA)), epoch(7)), sees(idB, 10, three)}, Listed},
		"a recovered cluster without a majority": {
			c(), []Answer{with(sees(idA, 200, voters(idA, "x/1", "y/1")), epoch(7))}, Unknown,
		},
		"one recovered beside another":       {sole(c()), []Answer{with(sees(idA, 200, voters(idA)), epoch(7))}, Unknown},
		"a new disk of the old epoch":        {fresh(), []Answer{with(sees(idA, 200, voters(idA)), epoch(7))}, LeftBehind},
		"a member that was left behind asks": {withEpoch(c(), 7), []Answer{sees(idA, 10, three), sees(idB, 10, three)}, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			v := Judge(row.self, row.answers)
			if v.Standing != row.want {
				t.Fatalf("%v, want %s", v, row.want)
			}
			if v.Final() && len(v.By) == 0 {
				t.Error("nobody says so")
			}
		})
	}
}

func withAddress(s Self, address string) Self { s.Address = address; return s }
func sole(s Self) Self                        { s.Sole = true; return s }
func withEpoch(s Self, epoch uint64) Self     { s.Epoch = epoch; return s }

// Whatever subset of a cluster answers, each as of any moment of its past that a majority vote allows: a member that the newest
// committed configuration lists is never called removed, and one that it does not list is never called listed.
func TestJudgeNeverGoesAgainstWhatIsCommitted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := drawHistory(t)
		committed := history[len(history)-1]
		// Each voter has some configuration of the past; a majority of the newest one's voters have that.
		have := map[string]int{}
		for _, m := range committed {
			have[m.ID] = rapid.IntRange(0, len(history)-1).Draw(t, "seen by "+m.ID)
		}
		for _, m := range committed[:len(committed)/2+1] {
			have[m.ID] = len(history) - 1
		}
		var answers []Answer
		for _, id := range []string{idA, idB, idD, "e/1", "f/1"} {
			if seen, ok := have[id]; ok && rapid.Bool().Draw(t, id+" answers") {
				answers = append(answers, Answer{ID: id, Configuration: uint64(seen + 1), Committed: rapid.Bool().Draw(t, "knows"), Members: history[seen]})
			}
		}
		is := slices.ContainsFunc(committed, func(m Member) bool { return m.ID == idC })
		switch v := Judge(Self{ID: idC, Address: "c:1", Last: 1}, answers); {
		case is && v.Final():
			t.Fatalf("a member is called %q: %v", v.Standing, answers)
		case !is && v.Standing == Listed:
			t.Fatalf("one that is no member is called so: %v", answers)
		}
	})
}

// drawHistory draws configurations that differ by one member from one to the next.
func drawHistory(t *rapid.T) [][]Member {
	members := voters(idA, idB, idC)
	history := [][]Member{slices.Clone(members)}
	for range rapid.IntRange(0, 6).Draw(t, "changes") {
		id := rapid.SampledFrom([]string{idA, idB, idC, idD, "e/1", "f/1"}).Draw(t, "who")
		if i := slices.IndexFunc(members, func(m Member) bool { return m.ID == id }); i < 0 {
			members = append(members, voters(id)...)
		} else if len(members) > 1 {
			members = slices.Delete(members, i, i+1)
		}
		history = append(history, slices.Clone(members))
	}
	return history
}

// What is remembered only rises, and what contradicts it is not taken for it.
func TestMemory(t *testing.T) {
	m := NewMemory(nil)
	say := func(boots, token, term, applied, last uint64) *Fact {
		return m.Hear(Self{ID: idC, Last: last, Fact: Fact{Boots: boots, Token: token, Term: term, Applied: applied}})
	}
	if f := say(1, 11, 2, 5, 5); f != nil {
		t.Fatalf("remembers %v of one that it has not heard", *f)
	}
	if f := say(1, 11, 2, 9, 12); f == nil || *f != (Fact{1, 11, 2, 5}) {
		t.Fatalf("remembers %v", f)
	}
	if f := say(2, 22, 3, 0, 12); f == nil || f.Applied != 9 {
		t.Fatalf("a restart: remembers %v", f)
	}
	// An older copy, opened as often: nothing of it is remembered.
	for range 2 {
		if f := say(2, 99, 9, 9, 99); f == nil || *f != (Fact{2, 22, 3, 9}) {
			t.Fatalf("remembers %v", f)
		}
	}
	if m.Boots(idC) != 2 || m.Boots(idA) != 0 {
		t.Error("boots", m.Boots(idC), m.Boots(idA))
	}
	kept, calls := map[string]Fact{}, 0
	keep := func(f map[string]Fact) error { kept = f; calls++; return nil }
	failing := func(map[string]Fact) error { return fmt.Errorf("no disk") }
	if m.Keep([]string{idC}, failing) == nil || m.Keep([]string{idC}, keep) != nil || m.Keep([]string{idC}, keep) != nil || calls != 1 {
		t.Fatalf("kept %d times", calls)
	}
	if kept[idC] != (Fact{2, 22, 3, 9}) || NewMemory(kept).Boots(idC) != 2 {
		t.Errorf("kept %v", kept)
	}
	if err := m.Keep([]string{idA}, keep); err != nil || len(kept) != 0 || m.Boots(idC) != 0 {
		t.Errorf("one that is no member is remembered: %v", kept)
	}
}
