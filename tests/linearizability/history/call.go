// Package history records what clients of a cluster asked and were told, and checks it: against a model with porcupine
// (model.go), and against what the store says in the end (truth.go).
package history

import (
	"slices"
	"sync"
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Outcome is what the caller was told about one call.
type Outcome uint8

// Outcomes. Done and refused are both Answered: the results say which.
const (
	// Answered: each operation has a final result.
	Answered Outcome = iota + 1
	// NotDone: nothing of this call was proposed.
	NotDone
	// Unknown: it may have taken effect, or may yet.
	Unknown
)

// Call is one call of one client, or one late copy of a client's request that the network delivered again.
type Call struct {
	Client int
	// Start and End in nanoseconds of the recorder's monotonic clock.
	Start, End int64
	Outcome    Outcome
	// Error is what the call ended with; empty where it was answered.
	Error string
	// LateCopy: sent by the network, not by a client.
	LateCopy bool
	// Operations of a change: one, or one atomic group. Nil for a read.
	Operations []*ballastv1.Operation
	// Results of an answered change.
	Results []*ballastv1.Result
	// Read is the answer to a linearizable read of some accounts. Nil for a change and for a read that failed.
	Read *Read
}

// Read is what a linearizable read saw.
type Read struct {
	Accounts []*ballastv1.Account
	Unknown  []string
	// Index of the log that it showed.
	Index uint64
	// Ahead is how far log time was ahead of the clock of the host, which no fault touches.
	Ahead time.Duration
}

// key names the attempt that a change is a try of.
func (c *Call) key() attemptKey {
	return attemptKey{c.Operations[0].GetId(), max(c.Operations[0].GetAttempt(), 1)}
}

// Recorder collects calls from many goroutines.
type Recorder struct {
	start time.Time
	mu    sync.Mutex
	calls []*Call
}

// NewRecorder starts the clock.
func NewRecorder() *Recorder { return &Recorder{start: time.Now()} }

// Now is the recorder's clock: nanoseconds since it was made, monotonic.
func (r *Recorder) Now() int64 { return int64(time.Since(r.start)) }

// Add takes in a finished call. It must not be changed afterwards.
func (r *Recorder) Add(c *Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
}

// Calls returns what was recorded so far.
func (r *Recorder) Calls() []*Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// Split cuts a request into its changes: single operations and atomic groups, each with its results where there are any.
func Split(ops []*ballastv1.Operation, results []*ballastv1.Result) (changes []Change) {
	for first, i := 0, 0; i < len(ops); i++ {
		if ops[i].GetLinked() && i < len(ops)-1 {
			continue
		}
		c := Change{Operations: ops[first : i+1]}
		if len(results) == len(ops) {
			c.Results = results[first : i+1]
		}
		changes = append(changes, c)
		first = i + 1
	}
	return changes
}

// Change is one operation or one atomic group, with its results where they are known.
type Change struct {
	Operations []*ballastv1.Operation
	Results    []*ballastv1.Result
}
