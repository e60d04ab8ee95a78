package workload

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/ballastdb/ballast/internal/wait"
)

// Result is what one or more runs of a workload came to.
type Result struct {
	// Config that was run.
	Config Config
	// Calls and Operations that were answered within the measured time.
	Calls, Operations int64
	// Refused of those operations.
	Refused int64
	// Failed calls, which have no latency and count in nothing else; LastFailure is one of them.
	Failed      int64
	LastFailure error
	// Elapsed is the measured time.
	Elapsed time.Duration
	// Latency of calls in microseconds, from their intended start.
	Latency *hdrhistogram.Histogram
	// Longest latency, exactly.
	Longest time.Duration
}

// NewResult is the result of no run at all, to merge others into.
func NewResult(config Config) Result { return Result{Config: config, Latency: newHistogram()} }

// Throughput in operations a second.
func (r *Result) Throughput() float64 { return float64(r.Operations) / r.Elapsed.Seconds() }

// Quantile of the latency of calls, 0 to 100, to three digits.
func (r *Result) Quantile(q float64) time.Duration {
	return min(time.Duration(r.Latency.ValueAtQuantile(q))*time.Microsecond, r.Longest)
}

// Merge adds another run of the same workload.
func (r *Result) Merge(other Result) {
	r.Calls += other.Calls
	r.Operations += other.Operations
	r.Refused += other.Refused
	r.Failed += other.Failed
	if other.LastFailure != nil {
		r.LastFailure = other.LastFailure
	}
	r.Elapsed += other.Elapsed
	r.Latency.Merge(other.Latency)
	r.Longest = max(r.Longest, other.Longest)
}

// Call is one call of a run, as its caller saw it.
type Call struct {
	// Intended is when it was meant to start.
	Intended time.Time
	// Took is the time from then to its answer.
	Took time.Duration
	// Operations of it, accounts where it read, and those of them that were refused.
	Operations, Refused int
	// Err is why it failed; nil: it was answered.
	Err error
}

// Run runs a workload once. Calls that fail are counted; the run goes on, unless they would fail for ever. It ends after
// Warmup + Duration, plus what the last calls take, or with the context.
func Run(ctx context.Context, config Config, target Target) (Result, error) {
	return Observe(ctx, config, target, nil, nil)
}

// Observe is Run that ends early, in order, once stop is closed, and that tells each of every call of its, warmup
// included, from many goroutines. Both may be nil.
func Observe(ctx context.Context, config Config, target Target, stop <-chan struct{}, each func(Call)) (Result, error) {
	if err := config.Validate(); err != nil {
		return Result{}, err
	}
	reader, reads := target.(Reader)
	if config.Reads() && !reads {
		return Result{}, fmt.Errorf("workload %s: the target cannot read", config.Name)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	start := time.Now()
	r := &run{
		config: &config, target: target, reader: reader, latencies: newLatencies(), cancel: cancel, stop: stop, each: each,
		start: start, from: start.Add(config.Warmup), end: start.Add(config.Warmup + config.Duration),
	}
	var wg sync.WaitGroup
	for caller := range config.Callers {
		wg.Go(func() { r.caller(ctx, caller) })
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return Result{}, fmt.Errorf("workload %s: %w", config.Name, err)
	}
	return r.result(), nil
}

// run is a workload under way.
type run struct {
	config           *Config
	target           Target
	reader           Reader // nil: nothing is read
	latencies        *latencies
	cancel           context.CancelCauseFunc
	stop             <-chan struct{}
	each             func(Call)
	start, from, end time.Time

	next                               atomic.Int64 // call of an open loop
	calls, operations, refused, failed atomic.Int64
	mu                                 sync.Mutex
	lastFailure                        error
}

// caller calls until the end.
func (r *run) caller(ctx context.Context, number int) {
	generate := newGenerator(r.config, number)
	for {
		work := generate.call()
		intended, ok := r.wait(ctx)
		if !ok {
			return
		}
		refused, err := r.do(ctx, work)
		now := time.Now()
		if ctx.Err() != nil {
			return
		}
		if r.each != nil {
			r.each(Call{Intended: intended, Took: now.Sub(intended), Operations: r.config.Operations, Refused: refused, Err: err})
		}
		if err != nil {
			r.fail(ctx, err)
			continue
		}
		r.count(number, intended, now, r.config.Operations, refused)
	}
}

func (r *run) do(ctx context.Context, w work) (refused int, err error) {
	if w.accounts != nil {
		return 0, r.reader.Read(ctx, w.accounts, w.stale)
	}
	return r.target.Submit(ctx, w.ops)
}

// count adds an answered call to the result. The latency of every call counts that began before the end, however late
// it was answered: leaving the slow ones out would hide them. To the throughput of a closed loop belongs what was
// answered within the measured time; to that of an open loop what was meant to start within it.
func (r *run) count(caller int, intended, now time.Time, operations, refused int) {
	if r.config.Rate > 0 && intended.Before(r.from) || now.Before(r.from) {
		return
	}
	r.latencies.add(caller, now.Sub(intended))
	if r.config.Rate == 0 && !now.Before(r.end) {
		return
	}
	r.calls.Add(1)
	r.operations.Add(int64(operations))
	r.refused.Add(int64(refused))
}

// wait returns when the next call is to start, and when it was meant to; false: there is none.
func (r *run) wait(ctx context.Context) (intended time.Time, ok bool) {
	if r.stopped() {
		return time.Time{}, false
	}
	if r.config.Rate == 0 {
		now := time.Now()
		return now, now.Before(r.end) && ctx.Err() == nil
	}
	offset := float64(r.next.Add(1)-1) / r.config.Rate * float64(time.Second)
	if offset > math.MaxInt64 {
		return time.Time{}, false
	}
	intended = r.start.Add(time.Duration(offset))
	if !intended.Before(r.end) {
		return intended, false
	}
	return intended, wait.For(ctx, time.Until(intended)) == nil
}

func (r *run) stopped() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// fail counts a failed call and keeps a target that fails at once from being called in a hot loop.
func (r *run) fail(ctx context.Context, err error) {
	if worthless(err) {
		r.cancel(err)
		return
	}
	r.failed.Add(1)
	r.mu.Lock()
	r.lastFailure = err
	r.mu.Unlock()
	_ = wait.For(ctx, 10*time.Millisecond)
}

func (r *run) result() Result {
	histogram, longest := r.latencies.sum()
	elapsed := r.config.Duration
	switch {
	case r.stopped(): // early
		elapsed = max(time.Since(r.from), 1)
	case r.config.Rate > 0:
		elapsed = max(elapsed, time.Since(r.from)) // an open loop counts what ended late, in the time that it took
	}
	return Result{
		Config: *r.config, Calls: r.calls.Load(), Operations: r.operations.Load(), Refused: r.refused.Load(),
		Failed: r.failed.Load(), LastFailure: r.lastFailure, Elapsed: elapsed, Latency: histogram, Longest: longest,
	}
}
