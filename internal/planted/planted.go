// Package planted names bugs that are put into Ballast on purpose, so that the nemesis can be seen to catch them.
//
// In a normal build In is the constant false and the compiler removes the bug. With the build tag "planted" the one bug
// named by BALLAST_PLANT is in; `make nemesis-planted` goes through all of them.
package planted

// Bug is the name of a planted bug.
type Bug string

// The bugs that `make nemesis-planted` expects to be caught.
const (
	// AckBeforeCommit acknowledges operations when they are proposed.
	AckBeforeCommit Bug = "ack-before-commit"
	// StaleAsLinearizable serves a linearizable read from local state without a read-index round.
	StaleAsLinearizable Bug = "stale-as-linearizable"
	// ForgetRefusals does not remember refused attempts, so that a late copy can take effect.
	ForgetRefusals Bug = "forget-refusals"
	// UnknownAsNotDone reports an earlier unknown as not done because a retry was dropped before it was proposed.
	UnknownAsNotDone Bug = "unknown-as-not-done"
)
