package compare

import (
	"fmt"
	"slices"
	"time"

	"github.com/ballastdb/ballast/internal/workload"
)

// Case is a workload, who takes turns at it, and what is expected.
type Case struct {
	// Summary in a line.
	Summary string
	// Workload, whose Name is the case's. Warmup and Duration are those of one turn; the run may set others.
	Workload workload.Config
	// Targets that take turns, the first of them ours. Those of systems that are not there are left out.
	Targets []string
	// Rounds, 0: those of the run.
	Rounds int
	// Bars that the first target is held against.
	Bars []Bar
}

// Name of the case.
func (c Case) Name() string { return c.Workload.Name }

// Bar is what a figure is held against.
type Bar struct {
	// Figure of the case's first target.
	Figure string
	// Of names another target: the bar is for the ratio to the same figure of that one. Empty: for the figure itself.
	Of string
	// Least or Most that it may be; the other is 0.
	Least, Most float64
	// LogStore that the bar is for; empty: any.
	LogStore string
	// For is the least duration that the figure must have been held for; 0: any. With less there is no verdict.
	For time.Duration
}

// Figures of a target in a case.
const (
	Throughput  = "throughput"           // operations a second
	P50         = "p50"                  // ms
	P99         = "p99"                  // ms
	Longest     = "max"                  // ms
	Failed      = "failed"               // calls
	Refused     = "refused"              // operations
	ServerCPU   = "server_cpu_per_op"    // microseconds of all its processes
	ClientCPU   = "client_cpu_per_op"    // microseconds of the load generator, and of what runs in its process
	Written     = "written_per_op"       // bytes that the processes gave to the disk
	Resident    = "resident"             // MiB of the largest process tree, at the end of a turn
	PerAccount  = "resident_per_account" // bytes of the largest member, before the load
	ClientBytes = "client_alloc_bytes_per_op"
	ClientCount = "client_allocs_per_op"
	ServerBytes = "server_alloc_bytes_per_op"
	ServerCount = "server_allocs_per_op"
	LogEntries  = "log_entries_per_op"
	QueueBytes  = "queue_bytes" // of the fullest member
	GCShare     = "gc_cpu"      // share of the CPU of all members
	GCPause     = "gc_pause"    // ms, the longest of the last 256 collections of any member
)

func unitOf(figure string) string {
	switch figure {
	case Throughput:
		return workload.UnitThroughput
	case P50, P99, Longest, GCPause:
		return workload.UnitLatency
	case Failed:
		return workload.UnitCalls
	case GCShare:
		return workload.UnitRatio
	case ServerCPU, ClientCPU:
		return "us"
	case Written, ClientBytes, ServerBytes, QueueBytes, PerAccount:
		return "bytes"
	case Resident:
		return "MiB"
	}
	return "count"
}

// Find returns the cases that the names name; none: all but those that take long.
func Find(names []string) ([]Case, error) {
	var found []Case
	for _, c := range Cases() {
		if slices.Contains(names, c.Name()) || len(names) == 0 && !c.long() {
			found = append(found, c)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(found, func(c Case) bool { return c.Name() == name }) {
			return nil, fmt.Errorf("there is no case %q; ballastbench compare --help lists them", name)
		}
	}
	return found, nil
}

// long tells whether a case is only run by name.
func (c Case) long() bool { return c.Workload.Accounts > million || c.Workload.Duration > time.Minute }

// scale sets what the user sets, where it is not 0.
func (c Case) scale(accounts int, warmup, duration time.Duration, rounds int) Case {
	if accounts > 0 {
		c.Workload.Accounts = accounts
	}
	if warmup > 0 {
		c.Workload.Warmup = warmup
	}
	if duration > 0 {
		c.Workload.Duration = duration
	}
	if rounds > 0 {
		c.Rounds = rounds
	}
	return c
}
