package node

import (
	"context"
	"runtime/debug"
	"testing"
)

// TestGarbageIsBounded: whatever the state takes, garbage takes at most garbageBytes or a tenth of it.
func TestGarbageIsBounded(t *testing.T) {
	before := 0
	for live := uint64(1 << 20); live < 1<<44; live += live / 7 {
		p := garbagePercent(live)
		garbage := live / 100 * uint64(p)
		if p < leastGarbage || p > mostGarbage || garbage > max(garbageBytes, live/leastGarbage) {
			t.Fatalf("a heap of %d bytes: %d percent are %d bytes of garbage", live, p, garbage)
		}
		if before != 0 && p > before {
			t.Fatalf("a heap of %d bytes: %d percent, more than the %d of a smaller one", live, p, before)
		}
		before = p
	}
	if before != leastGarbage {
		t.Fatalf("a huge heap: %d percent, want %d", before, leastGarbage)
	}
}

// TestHeapIsLeftAsItWas: the process's own setting comes back.
func TestHeapIsLeftAsItWas(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(77))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	watchHeap(ctx)
	if after := debug.SetGCPercent(77); after != 77 {
		t.Fatalf("found %d, want 77", after)
	}
}
