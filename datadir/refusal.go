package datadir

import "fmt"

// Problem names why a data directory was refused.
type Problem string

// Problems of Open and Init.
const (
	// Missing: there is nothing at the path.
	Missing Problem = "missing"
	// NotDirectory: there is something else at the path.
	NotDirectory Problem = "not a directory"
	// WrongOwner: the directory belongs to another user than the process runs as.
	WrongOwner Problem = "wrong owner"
	// WrongMode: others than the owner may write it, or others than the owner and group may read it.
	WrongMode Problem = "wrong mode"
	// Locked: another live process holds it.
	Locked Problem = "in use"
	// Empty: there is nothing in it.
	Empty Problem = "empty"
	// HalfInitialised: an init began and did not end.
	HalfInitialised Problem = "half initialised"
	// Foreign: it holds files and no identity, so it is not, or no longer, a data directory.
	Foreign Problem = "foreign"
	// Corrupt: its identity or boot record fails its checksum or cannot be understood.
	Corrupt Problem = "corrupt"
	// Newer: it was written by a newer version of the program.
	Newer Problem = "newer format"
	// Incomplete: it has an identity and lacks something that init made.
	Incomplete Problem = "incomplete"
	// OtherLog: its raft log is of another kind than is configured.
	OtherLog Problem = "other kind of raft log"
	// Damaged: its newest snapshot is damaged or known to be wrong, and nobody is known who has another.
	Damaged Problem = "damaged"
	// Removed: a majority of the cluster no longer lists its incarnation as a member.
	Removed Problem = "no longer a member"
	// Replaced: a majority lists its name under another incarnation.
	Replaced Problem = "another incarnation"
	// AddressTaken: a majority lists its member address as another member's.
	AddressTaken Problem = "address of another member"
	// RolledBack: it has forgotten what the member told others, as an older copy of it would have.
	RolledBack Problem = "rolled back to an older copy"
	// LeftBehind: the cluster was recovered from a lost majority without it.
	LeftBehind Problem = "from before a recovery"
	// Initialised: Init found a data directory that is complete.
	Initialised Problem = "already initialised"
)

// RefusedError says why a data directory was refused. Nothing in it was changed.
type RefusedError struct {
	// Problem is the reason in a word or two, stable, for programs.
	Problem Problem
	// Dir is the data directory.
	Dir string
	// Expected, Found and Remedy are for people; Remedy names the command to run.
	Expected, Found, Remedy string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("data directory %s is refused (%s): expected %s; found %s; to go on: %s",
		e.Dir, e.Problem, e.Expected, e.Found, e.Remedy)
}

func initCommand(dir string) string {
	return fmt.Sprintf("ballastd init --data-dir %s --cluster-id UUID --name NAME", dir)
}

// replaceMember is the way out where a member's data is damaged or gone for good.
func replaceMember(dir string) string {
	return fmt.Sprintf("if the data cannot be brought back unchanged, give the member up: remove it from the cluster, "+
		"move %s away, make a new one (%s) and join it as a new member; never copy files into it", dir, initCommand(dir))
}
