package catchup

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/ballastdb/ballast/internal/workload"
)

// Timeline collects calls by the second in which each was meant to start. It may be used by many goroutines.
type Timeline struct {
	// Title says which run it is.
	Title string
	start time.Time

	mu      sync.Mutex
	seconds []second
	phases  []phase
}

type second struct {
	took       []time.Duration
	operations int
	failed     int
}

// phase is a part of the run with a name.
type phase struct {
	name     string
	from, to time.Duration
}

func newTimeline(title string) *Timeline { return &Timeline{Title: title, start: time.Now()} }

// add counts a call. A failed one has no latency.
func (t *Timeline) add(c workload.Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := int(max(c.Intended.Sub(t.start), 0) / time.Second)
	for len(t.seconds) <= i {
		t.seconds = append(t.seconds, second{})
	}
	s := &t.seconds[i]
	if c.Err != nil {
		s.failed++
		return
	}
	s.took = append(s.took, c.Took)
	s.operations += c.Operations
}

// begin ends the phase before and begins another.
func (t *Timeline) begin(name string) {
	now := time.Since(t.start)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endPhase(now)
	t.phases = append(t.phases, phase{name: name, from: now})
}

// end ends the last phase.
func (t *Timeline) end() {
	now := time.Since(t.start)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endPhase(now)
}

func (t *Timeline) endPhase(now time.Duration) {
	if n := len(t.phases); n > 0 && t.phases[n-1].to == 0 {
		t.phases[n-1].to = now
	}
}

// summary of the calls that were meant to start within some whole seconds.
type summary struct {
	calls, operations, failed int
	p50, p99, longest         time.Duration
}

// of summarises a phase: the seconds that lie wholly in it, or for one shorter than that those that it touches.
func (t *Timeline) of(name string) summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []second
	for _, p := range t.phases {
		if p.name != name {
			continue
		}
		first, end := int((p.from+time.Second-1)/time.Second), int(p.to/time.Second)
		if end <= first {
			first, end = int(p.from/time.Second), int(p.to/time.Second)+1
		}
		all = append(all, t.seconds[min(first, len(t.seconds)):min(end, len(t.seconds))]...)
	}
	return summarise(all)
}

// failed calls of the whole run.
func (t *Timeline) failed() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return summarise(t.seconds).failed
}

func summarise(seconds []second) (s summary) {
	var took []time.Duration
	for i := range seconds {
		took = append(took, seconds[i].took...)
		s.operations += seconds[i].operations
		s.failed += seconds[i].failed
	}
	s.calls = len(took)
	if s.calls == 0 {
		return s
	}
	slices.Sort(took)
	s.p50, s.p99, s.longest = quantile(took, 50), quantile(took, 99), took[len(took)-1]
	return s
}

// quantile of sorted values, 0 to 100: the least that this part of them does not exceed.
func quantile(sorted []time.Duration, percent int) time.Duration {
	return sorted[max((len(sorted)*percent+99)/100-1, 0)]
}

// phaseAt names the phase that a second begins in.
func (t *Timeline) phaseAt(i int) string {
	name := ""
	for _, p := range t.phases {
		if p.from <= time.Duration(i)*time.Second+time.Second/2 {
			name = p.name
		}
	}
	return name
}

func (t *Timeline) writeTable(w io.Writer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "%s\n", t.Title)
	fmt.Fprintln(table, "second\tphase\tcalls\tops\tp50 ms\tp99 ms\tmax ms\tfailed\t")
	for i := range t.seconds {
		s := summarise(t.seconds[i : i+1])
		fmt.Fprintf(table, "%d\t%s\t%d\t%d\t%.1f\t%.1f\t%.1f\t%d\t\n", i, t.phaseAt(i), s.calls, s.operations,
			milliseconds(s.p50), milliseconds(s.p99), milliseconds(s.longest), s.failed)
	}
	return table.Flush()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
