package server

// Phase is what a member is about, in words that the status shows.
type Phase string

// Phases, in the order in which they are looked for: the first that fits is shown.
const (
	// PhaseDiverged: its state is not the majority's; it serves nothing and stops.
	PhaseDiverged Phase = "diverged"
	// PhaseStopping: calls go to the other members.
	PhaseStopping Phase = "shutting down"
	// PhaseAlone: it belongs to no cluster.
	PhaseAlone Phase = "waiting for a cluster"
	// PhasePages: it takes in a snapshot from the others.
	PhasePages Phase = "catching up from pages"
	// PhaseTurn: it needs a snapshot, and others get theirs first.
	PhaseTurn Phase = "waiting for a turn"
	// PhaseNoLeader: there is nobody to follow.
	PhaseNoLeader Phase = "no leader"
	// PhaseLog: it is behind, and the log has what it lacks.
	PhaseLog Phase = "catching up from the log"
	// PhaseJournal: it serves, and older entries of the journal are on their way.
	PhaseJournal Phase = "backfilling the journal"
	// PhaseServing: it is caught up.
	PhaseServing Phase = "serving"
)

// Phases are all of them.
func Phases() []Phase {
	return []Phase{
		PhaseStopping, PhaseDiverged, PhaseAlone, PhasePages, PhaseTurn, PhaseNoLeader, PhaseLog, PhaseJournal, PhaseServing,
	}
}

// phase says what a member is about. waiting: the leader makes it wait for a snapshot.
func phase(f *Facts, gate *Gate, waiting bool) Phase {
	switch {
	case gate.Condemned() != "":
		return PhaseDiverged
	case gate.Closed():
		return PhaseStopping
	case f.Install != nil:
		return PhasePages
	case !f.Raft.Member && !f.Raft.LeaderKnown:
		return PhaseAlone
	case waiting, !f.Raft.Member: // whom a leader has added knows no configuration, and so nobody to ask, before its first snapshot
		return PhaseTurn
	case !f.Raft.LeaderKnown:
		return PhaseNoLeader
	case f.Standing.Behind():
		return PhaseLog
	case f.Journal != nil && f.Journal.Holes > 0:
		return PhaseJournal
	}
	return PhaseServing
}
