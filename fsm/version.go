//go:build !nextversion

package fsm

// SupportedVersion is the newest cluster version that this program applies.
const SupportedVersion = FirstVersion
