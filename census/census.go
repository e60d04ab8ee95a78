// Package census judges whether a member still is what its data directory says, by what the other members say of it. README.md
// tells the rules and why each is safe. It asks nobody and keeps nothing on a disk: server/node does.
package census

import (
	"slices"
	"strings"
)

// Fact is what a member says of itself. None of it goes back, not over restarts either, on a disk that keeps what it is told.
type Fact struct {
	// Boots counts the openings of its data directory, Token is random and made at the last: two openings that count the same
	// are not of one disk.
	Boots, Token uint64
	// Term is its current term.
	Term uint64
	// Applied is the newest log index that it has applied: committed, and on its disk.
	Applied uint64
}

// Member is one of a configuration.
type Member struct {
	// ID is its server id, name/incarnation; Address where members reach it.
	ID, Address string
	Voter       bool
}

func (m Member) name() string { return nameOf(m.ID) }

func nameOf(id string) string {
	name, _, _ := strings.Cut(id, "/")
	return name
}

// Self is the member that asks.
type Self struct {
	// ID is its server id, name/incarnation; Address where members reach it.
	ID, Address string
	Epoch       uint64
	Fact
	// Last is where its log, or else its newest snapshot, ends; 0: it has never heard of anything, and belongs to no cluster yet.
	Last uint64
	// Configuration is the log index of the latest configuration that it has; 0: none. Sole: it is the only voter of that, and so
	// a majority by itself.
	Configuration uint64
	Sole          bool
}

// Answer is how one member sees the one that asks.
type Answer struct {
	// ID is the answering member's.
	ID    string
	Epoch uint64
	// Configuration is the log index of its latest configuration, Committed whether it knows that this is committed, Members who
	// it lists.
	Configuration uint64
	Committed     bool
	Members       []Member
	// Remembered is the most that it heard the asking member say; nil: nothing.
	Remembered *Fact
}

// lists tells whether the answering member lists id.
func (a Answer) lists(id string) bool {
	return slices.ContainsFunc(a.Members, func(m Member) bool { return m.ID == id })
}

// Standing is what a member is to the others.
type Standing string

// Standings. Those from Removed on are final: the member must not take part.
const (
	// Unknown: too few answered, or the answers do not say.
	Unknown Standing = "unknown"
	// Listed: a majority has it as a member.
	Listed Standing = "listed"
	// Unlisted: it is new, and nothing is in the way of adding it.
	Unlisted Standing = "not a member yet"
	// Removed: a majority no longer lists its incarnation.
	Removed Standing = "removed"
	// Replaced: a majority lists its name under another incarnation; that of a wiped disk, or of its successor.
	Replaced Standing = "another incarnation"
	// Taken: a majority lists its address as another member's.
	Taken Standing = "address of another member"
	// RolledBack: its disk has forgotten what it told another member.
	RolledBack Standing = "rolled back"
	// LeftBehind: the cluster was recovered from a lost majority without it.
	LeftBehind Standing = "before a recovery"
)

// Final tells whether a member that stands so must not take part.
func (s Standing) Final() bool {
	return s != Unknown && s != Listed && s != Unlisted && s != ""
}

// Verdict is what the answers say together.
type Verdict struct {
	Standing
	// By are the names of the members whose answers decide, in their order.
	By []string
	// Other is, of Replaced and Taken, the member that is in the way.
	Other Member
	// Index is the log index of the configuration that decides; Epoch, of LeftBehind, that of the cluster.
	Index, Epoch uint64
	// Remembered is, of RolledBack, what another member remembers.
	Remembered Fact
}
