package node

import (
	"context"
	"io"
	"runtime/pprof"

	"github.com/ballastdb/ballast/server"
)

// debugParts implements server.Debug.
func (n *node) debugParts(heap bool) []server.DebugPart {
	parts := []server.DebugPart{
		{Name: "log.jsonl", Write: func(_ context.Context, w io.Writer) error {
			if n.RecentLog == nil {
				return nil
			}
			_, err := w.Write(n.RecentLog())
			return err
		}},
		{Name: "metrics.txt", Write: func(_ context.Context, w io.Writer) error { return n.metrics.WriteText(w) }},
		// The stacks with how many goroutines are at each: no values of arguments, as a full dump has them.
		{Name: "goroutines.txt", Write: func(_ context.Context, w io.Writer) error { return pprof.Lookup("goroutine").WriteTo(w, 1) }},
	}
	if heap {
		parts = append(parts, server.DebugPart{Name: "heap.pprof", Write: func(_ context.Context, w io.Writer) error { return pprof.Lookup("heap").WriteTo(w, 0) }})
	}
	return parts
}
