package logstore

import (
	"errors"
	"slices"
	"testing"

	"github.com/hashicorp/go-hclog"
	"pgregory.net/rapid"
)

// TestDeleteLeavesNoHole: whatever raft deletes at either end, and after whichever chunk the process dies, the entries
// that are left are consecutive, and those that were not to be deleted are all there.
func TestDeleteLeavesNoHole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		count := rapid.Uint64Range(1, 4*deleteChunk).Draw(rt, "count")
		cut := rapid.Uint64Range(1, count).Draw(rt, "cut")
		low, high := uint64(1), cut
		if rapid.Bool().Draw(rt, "new end") {
			low, high = cut, count
		}
		disk := newFakeBolt(t, count)
		store, err := newStore(disk, Options{Kind: Bolt, Logger: hclog.NewNullLogger(), Fatal: func(error) {}})
		if err != nil {
			rt.Fatal(err)
		}
		defer store.Close()
		dieAfter := rapid.IntRange(1, 6).Draw(rt, "die after")
		disk.afterWrite = func() {
			if disk.writes == dieAfter {
				disk.failNext = errors.New("died")
			}
			for i, index := range disk.logs {
				if i > 0 && index != disk.logs[i-1]+1 {
					rt.Fatalf("a hole between %d and %d", disk.logs[i-1], index)
				}
			}
		}
		_ = store.DeleteRange(low, high)
		for i := uint64(1); i <= count; i++ {
			if (i < low || i > high) && !slices.Contains(disk.logs, i) {
				rt.Fatalf("entry %d was deleted, only %d to %d were to be", i, low, high)
			}
		}
		if disk.failed == nil && len(disk.logs) != int(count-(high-low+1)) {
			rt.Fatalf("%d entries left, expected %d", len(disk.logs), count-(high-low+1))
		}
	})
}
