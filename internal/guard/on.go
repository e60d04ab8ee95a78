//go:build !unguarded

package guard

// On reports whether the guard is in force. It always is in this build.
func On(Name) bool { return true }
