package node

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The state is most of the heap: pages without pointers, which the garbage collector neither scans nor frees. Left to its
// default it would let the heap double before it collects, and so take as much memory again as the state does. Its work
// depends on what has pointers, which is little and does not grow with the accounts, so it can afford to run whenever so
// much garbage has come together:
const (
	garbageBytes = 256 << 20
	// mostGarbage and leastGarbage bound it in percent of the live heap. The lower one keeps a very large heap from
	// being collected all the time.
	mostGarbage  = 100
	leastGarbage = 10
	// heapPeriod is how often the live heap is looked at.
	heapPeriod = time.Second
)

// startHeap keeps garbage bounded until the member stops. It is the process's own setting (GOGC) that it changes; where
// several members run in one process, as in tests, they all set it to the same.
// Who sets GOGC has decided otherwise.
func (n *node) startHeap() error {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	n.undo.pushClose("end the watch over the heap", run(watchHeap))
	return nil
}

func watchHeap(ctx context.Context) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	percent := mostGarbage
	before := debug.SetGCPercent(percent)
	defer func() { debug.SetGCPercent(before) }()
	ticker := time.NewTicker(heapPeriod)
	defer ticker.Stop()
	for {
		metrics.Read(live)
		if p := garbagePercent(live[0].Value.Uint64()); p != percent { // setting it stops the world for a moment
			debug.SetGCPercent(p)
			percent = p
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// garbagePercent is how much garbage may come together, in percent of the live heap, in steps that keep it from changing
// at every look.
func garbagePercent(live uint64) int {
	const step = 5
	if live <= garbageBytes {
		return mostGarbage
	}
	return max(leastGarbage, int(garbageBytes*100/live)/step*step)
}
