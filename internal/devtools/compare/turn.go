package compare

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/ballastdb/ballast/internal/procstat"
	"github.com/ballastdb/ballast/internal/wait"
	"github.com/ballastdb/ballast/internal/workload"
)

// sampleEvery is how often levels are looked at during a measurement. Looking costs what is measured too: four times a
// second, through all processes of the machine, it was more than half of the load generator's work.
const sampleEvery = time.Second

// turn is what one turn, or several of one target at one case, came to.
type turn struct {
	result         workload.Result
	server, client procstat.Usage
	// allocated bytes and counts of this process.
	allocBytes, allocs uint64
	resident           int64 // at the end, the most of several turns, bytes
	counters, levels   map[string]float64
	throughputs        []float64
}

func newTurn(config workload.Config) *turn {
	return &turn{result: workload.NewResult(config), counters: map[string]float64{}, levels: map[string]float64{}}
}

// merge adds another turn.
func (t *turn) merge(o *turn) {
	t.result.Merge(o.result)
	t.server, t.client = t.server.Plus(o.server), t.client.Plus(o.client)
	t.allocBytes, t.allocs = t.allocBytes+o.allocBytes, t.allocs+o.allocs
	t.resident = max(t.resident, o.resident)
	for name, value := range o.counters {
		t.counters[name] += value
	}
	for name, value := range o.levels {
		t.levels[name] = max(t.levels[name], value)
	}
	t.throughputs = append(t.throughputs, o.result.Throughput())
}

// takeTurn runs a workload at a target, and watches the measured part of it.
func takeTurn(ctx context.Context, config workload.Config, system System, target Target) (*turn, error) {
	t := newTurn(config)
	watched := make(chan error, 1)
	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { watched <- t.watch(watchCtx, config, system) }()
	result, err := workload.Run(ctx, config, target.Target)
	if err != nil {
		cancel()
		return nil, errors.Join(err, <-watched)
	}
	t.result = result
	return t, <-watched
}

// edge is what is looked at when the measured time begins and ends.
type edge struct {
	server, client procstat.Usage
	memory         runtime.MemStats
	seen           Observation
}

func lookAt(ctx context.Context, system System) (e edge, err error) {
	if e.server, err = procstat.Of(system.PIDs()); err != nil {
		return e, err
	}
	e.client = procstat.Own()
	runtime.ReadMemStats(&e.memory)
	if o, ok := system.(Observer); ok {
		e.seen, err = o.Observe(ctx)
	}
	return e, err
}

// watch looks at the beginning and the end of the measured time, and at levels in between.
func (t *turn) watch(ctx context.Context, config workload.Config, system System) error {
	if err := wait.For(ctx, config.Warmup); err != nil {
		return err
	}
	before, err := lookAt(ctx, system)
	if err != nil {
		return err
	}
	end := time.Now().Add(config.Duration)
	for time.Until(end) > sampleEvery {
		if err := wait.For(ctx, sampleEvery); err != nil {
			return err
		}
		if err := t.sample(ctx, system); err != nil {
			return err
		}
	}
	if err := wait.For(ctx, time.Until(end)); err != nil {
		return err
	}
	after, err := lookAt(ctx, system)
	if err != nil {
		return err
	}
	t.resident = procstat.Resident(system.PIDs()) // outside what is counted
	t.server, t.client = after.server.Minus(before.server), after.client.Minus(before.client)
	t.allocBytes = after.memory.TotalAlloc - before.memory.TotalAlloc
	t.allocs = after.memory.Mallocs - before.memory.Mallocs
	for name, value := range after.seen.Counters {
		t.counters[name] = value - before.seen.Counters[name]
	}
	return nil
}

func (t *turn) sample(ctx context.Context, system System) error {
	o, ok := system.(Observer)
	if !ok {
		return nil
	}
	seen, err := o.Observe(ctx)
	for name, value := range seen.Levels {
		t.levels[name] = max(t.levels[name], value)
	}
	return err
}

// figures are the values that a target reached, by name.
func (t *turn) figures() map[string]float64 {
	r := &t.result
	operations := float64(max(r.Operations, 1))
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	micros := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / operations }
	f := map[string]float64{
		Throughput: r.Throughput(), P50: ms(r.Quantile(50)), P99: ms(r.Quantile(99)), Longest: ms(r.Longest),
		Failed: float64(r.Failed), Refused: float64(r.Refused),
		ClientCPU: micros(t.client.CPU), ClientBytes: float64(t.allocBytes) / operations, ClientCount: float64(t.allocs) / operations,
	}
	if t.server.CPU > 0 {
		f[ServerCPU], f[Written] = micros(t.server.CPU), float64(t.server.Written)/operations
		f[Resident] = float64(t.resident) / (1 << 20)
	} else {
		f[Written] = float64(t.client.Written) / operations
	}
	for _, name := range []string{ServerBytes, ServerCount, LogEntries} {
		if value, ok := t.counters[name]; ok {
			f[name] = value / operations
		}
	}
	if gc, ok := t.counters[GCShare]; ok && t.server.CPU > 0 {
		f[GCShare] = gc / t.server.CPU.Seconds()
	}
	for name, value := range t.levels {
		f[name] = value
	}
	return f
}
