package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const (
	// burstWrites is how many trial writes answer one question about the disk: 16 small commits' worth of it.
	burstWrites = 16
	// burstLimit ends them early on a slow disk.
	burstLimit = time.Second
)

// burst makes trial writes one after the other, and tells how long each took. It is run's goroutine that does.
func (d *diskProbe) burst() (took []time.Duration) {
	for begun := time.Now(); len(took) < burstWrites && time.Since(begun) < burstLimit; {
		d.try()
		d.mu.Lock()
		last, problem := d.took, d.problem
		d.mu.Unlock()
		if problem != "" {
			return took
		}
		took = append(took, last)
	}
	return took
}

// trial asks for some trial writes. A write that hangs is not waited for longer than ctx allows.
func (d *diskProbe) trial(ctx context.Context) *ballastv1.DiskTrial {
	answer := make(chan []time.Duration, 1)
	var took []time.Duration
	select {
	case d.asked <- answer:
		select {
		case took = <-answer:
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	t := &ballastv1.DiskTrial{Writes: uint32(len(took)), Problem: d.facts().Problem} //nolint:gosec // at most burstWrites
	if len(took) == 0 {
		if t.Problem == "" {
			t.Problem = fmt.Sprintf("a trial write did not come back for %s", d.waiting().Round(100*time.Millisecond))
		}
		return t
	}
	slices.Sort(took)
	t.Median, t.Slowest = durationpb.New(took[len(took)/2]), durationpb.New(took[len(took)-1])
	return t
}

// waiting is how long the write under way has taken so far; 0: none is.
func (d *diskProbe) waiting() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.begun.IsZero() {
		return 0
	}
	return time.Since(d.begun)
}
