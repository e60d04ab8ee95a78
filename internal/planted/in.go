//go:build planted

package planted

import "os"

// In reports whether the bug is built in: the one that BALLAST_PLANT names.
func In(b Bug) bool { return string(b) == os.Getenv("BALLAST_PLANT") }
