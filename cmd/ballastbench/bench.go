package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/internal/devcluster"
	"github.com/ballastdb/ballast/internal/devtools/compare"
	"github.com/ballastdb/ballast/internal/devtools/kinds"
	"github.com/ballastdb/ballast/internal/raftfloor"
	"github.com/ballastdb/ballast/internal/workload"
	"github.com/ballastdb/ballast/logstore"
)

// target is what takes turns.
type target struct {
	label string
	// prefix of its rows.
	prefix string
	target workload.Target
}

// bench starts both targets, lets them take turns and reports.
func bench(ctx context.Context, o benchOptions, io stdio) (err error) {
	dir, remove, err := benchDir(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	program, err := compare.FindProgram(o.program)
	if err != nil {
		return err
	}
	configs := workload.Standard(o.warmup, o.duration)

	cluster, err := devcluster.Start(ctx, devcluster.Config{
		Dir: filepath.Join(dir, "cluster"), Program: program, Shape: devcluster.Shape{Port: o.port, Nodes: 3},
		LogStore: o.logStore,
		Tell:     func(text string) { fmt.Fprintln(io.err, text) },
	})
	if err != nil {
		return err
	}
	defer cluster.Stop()
	if err := workload.Prepare(ctx, cluster.Client(), configs[0].Accounts); err != nil {
		return err
	}
	floor, err := raftfloor.Open(ctx, filepath.Join(dir, "floor"), logstore.Kind(o.logStore), hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: io.err}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, floor.Close()) }()

	targets := []target{
		{label: "ballast", target: workload.NewClientTarget(cluster.Client())},
		{label: "raft alone", prefix: "floor/", target: floor},
	}
	results, err := takeTurns(ctx, o, configs, targets, io)
	if err != nil {
		return err
	}
	costs, err := kinds.Measure(ctx, kinds.Accounts, kindRounds)
	if err != nil {
		return err
	}
	return report(o, targets, results, costs, io)
}

// takeTurns measures every workload at every target, round after round, and returns the merged results: first all
// targets of the first workload.
func takeTurns(ctx context.Context, o benchOptions, configs []workload.Config, targets []target, io stdio) ([]workload.Result, error) {
	var results []workload.Result
	for _, config := range configs {
		for range targets {
			results = append(results, workload.NewResult(config))
		}
	}
	for round := range o.rounds {
		for i, config := range configs {
			for j, t := range targets {
				config.Seed = uint64(round + 1)
				result, err := workload.Run(ctx, config, t.target)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", t.label, err)
				}
				fmt.Fprintf(io.err, "round %d of %d: %s, %s: %.0f ops/s\n", round+1, o.rounds, config.Name, t.label, result.Throughput())
				results[i*len(targets)+j].Merge(result)
			}
		}
	}
	return results, nil
}

// benchDir is where the data go. The working directory's disk is measured rather than that of /tmp, which may be memory.
func benchDir(o benchOptions) (dir string, remove func() error, err error) {
	keep := func() error { return nil }
	if o.dir != "" {
		return o.dir, keep, os.MkdirAll(o.dir, 0o755)
	}
	dir, err = os.MkdirTemp(".", ".ballastbench-")
	if err != nil || o.keep {
		return dir, keep, err
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}

// report prints the results, and fails where calls to Ballast failed: such figures say little. The floor has no retries,
// so an election fails calls there; the table shows them.
func report(o benchOptions, targets []target, results []workload.Result, costs []kinds.Cost, io stdio) error {
	var rows []workload.Row
	var labels []string
	var failed int64
	var lastFailure error
	for i := range results {
		t := targets[i%len(targets)]
		labels = append(labels, t.label)
		rows = append(rows, results[i].Rows(t.prefix)...)
		if t.prefix == "" && results[i].Failed > 0 {
			failed, lastFailure = failed+results[i].Failed, results[i].LastFailure
		}
	}
	for i := 0; i < len(results); i += len(targets) {
		rows = append(rows, workload.Row{
			Name: results[i].Config.Name + "/of_floor", Unit: workload.UnitRatio,
			Value: results[i].Throughput() / results[i+1].Throughput(),
		})
	}
	rows = append(rows, kinds.Rows(costs)...)
	if err := printResults(o, labels, results, rows, costs, io); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d calls failed, the last one with: %w", failed, lastFailure)
	}
	return nil
}

func printResults(o benchOptions, labels []string, results []workload.Result, rows []workload.Row, costs []kinds.Cost, io stdio) error {
	if o.json {
		return workload.WriteJSON(io.out, rows)
	}
	fmt.Fprintf(io.out, "%d rounds of %v after %v each, %d CPUs, %s %s/%s, three members on one machine, all on disk\n",
		o.rounds, o.duration, o.warmup, runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if err := workload.WriteTable(io.out, labels, results); err != nil {
		return err
	}
	return kinds.WriteTable(io.out, costs)
}
