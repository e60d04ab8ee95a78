package diskspace

import (
	"testing"

	"golang.org/x/sys/unix"
)

// allocated are the bytes that a file has on the disk.
func allocated(t *testing.T, path string) int64 {
	t.Helper()
	var stat unix.Stat_t
	must(t, unix.Stat(path, &stat))
	return stat.Blocks * 512
}
