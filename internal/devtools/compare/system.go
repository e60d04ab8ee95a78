package compare

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/ballastdb/ballast/internal/workload"
)

// ErrMissing: a system cannot be started because it is not installed. Its text says what is missing.
var ErrMissing = errors.New("not installed")

// Env is what a system is started in.
type Env struct {
	// Dir is the system's own directory, which exists and is removed after the run.
	Dir string
	// LogStore of raft where there is a choice.
	LogStore string
	// Tell says to the user what goes on.
	Tell func(line string)
}

// System is something that keeps balances. It is started by nobody else than the run, and ended by it.
type System interface {
	// Name, such as "redis".
	Name() string
	// Start starts it, empty, and waits until it serves as it promises. Where it fails nothing is left running. It wraps
	// ErrMissing where there is nothing to start.
	Start(ctx context.Context, env Env) error
	// Settings are the version and what matters for speed and for the promise, one a line.
	Settings() []string
	// Prepare makes the accounts of workloads, with no floor that they could reach.
	Prepare(ctx context.Context, accounts int) error
	// Verify says what of the promise does not hold at present: every write on the disks of a majority of three.
	Verify(ctx context.Context) error
	// PIDs are the processes at their roots; their children count with them. None: it runs in this process.
	PIDs() []int
	// Targets are the ways to ask it. Before Start only their names matter.
	Targets() []Target
	// Stop ends its processes and waits for them.
	Stop() error
}

// Target is a way to ask a system.
type Target struct {
	// Name, unique in a run, such as "redis-script".
	Name string
	// Promise in a few words: what a call costs and gives.
	Promise string
	// Share: it has that part of a workload's accounts, one in Share; 0: all of them.
	Share int
	workload.Target
}

// Observer is a System that can tell more about itself.
type Observer interface {
	// Observe looks once. It is asked at the start and the end of a measurement, and now and then in between.
	Observe(ctx context.Context) (Observation, error)
}

// Observation is what an Observer sees.
type Observation struct {
	// Counters grow; what counts is by how much.
	Counters map[string]float64
	// Levels are at most so high.
	Levels map[string]float64
}

// FreePort is a loopback port that nobody listens on. Somebody may take it before the caller does.
func FreePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}
