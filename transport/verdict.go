package transport

import (
	"errors"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/guard"
)

// Guards of UPSTREAM rows.
const (
	// guardUnguardedInstall is the row "no guard": raft installs whatever it is offered.
	guardUnguardedInstall guard.Name = "no-guard"
	guardConflict         guard.Name = "#697"
	// guardInstallTerm and guardInstallPin are rules for a leader that brings a member up to date.
	guardInstallTerm guard.Name = "install-term"
	guardInstallPin  guard.Name = "install-pin"
)

// Verdict is what this member's log and state say to a snapshot that it is offered.
type Verdict uint8

const (
	// Wanted: neither reaches the snapshot's index. It is staged and installed.
	Wanted Verdict = iota
	// Held: the log holds the entry at its index, of its term. Nothing is staged; the leader is told success, and goes on
	// with the entry after it.
	Held
	// Outgrown: the state is at or past its index, and the log does not hold the entry any more. It would roll the state back;
	// the leader must offer a newer one.
	Outgrown
	// Conflicting: the log holds an entry of another term at its index. That one and all after it were never committed. Raft
	// would install the snapshot and reject the next append for ever, for it remembers them as the end of its log.
	Conflicting
)

var (
	errOutgrown = errors.New("snapshot refused: this member's state is at or past its index already; the leader must offer a newer one")
	errConflict = errors.New("snapshot put off: this member's log goes another way at its index; " +
		"it stops, cuts what was never committed, and starts again")
)

// judge asks what is to be done with an offer. Held is answered at once: the answer is not nil then.
func (t *Transport) judge(r *raft.InstallSnapshotRequest) (*raft.InstallSnapshotResponse, error) {
	if now := t.config.CurrentTerm(); r.Term < now {
		return &raft.InstallSnapshotResponse{Term: now}, nil // as raft would
	}
	verdict, err := t.config.Judge(r.LastLogIndex, r.LastLogTerm)
	if err != nil {
		return nil, err
	}
	switch {
	case verdict == Conflicting && guard.On(guardConflict):
		t.config.Conflict(r.LastLogIndex, r.LastLogTerm)
		return nil, errConflict
	case verdict == Held && guard.On(guardUnguardedInstall):
		return &raft.InstallSnapshotResponse{Term: r.Term, Success: true}, nil
	case verdict == Outgrown && guard.On(guardUnguardedInstall):
		return nil, errOutgrown
	}
	return nil, nil
}
