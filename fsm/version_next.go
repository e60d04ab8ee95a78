//go:build nextversion

package fsm

// SupportedVersion is one more than that of a program without the build tag nextversion. The version in between changes nothing
// but its number: what it is for is to try an upgrade that raises the cluster version, with two programs of which only one
// can follow (tests/lab).
const SupportedVersion = FirstVersion + 1
