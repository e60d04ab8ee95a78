//go:build !planted

package planted

// In reports whether the bug is built in. None is in this build.
func In(Bug) bool { return false }
