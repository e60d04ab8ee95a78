package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// pair is a package's benchmarks, built of both trees.
type pair struct {
	pkg, base, work, tree string
}

// result of one benchmark in one turn: values by unit.
type result map[string]float64

// samples are what benchstat gets, by benchmark: lines of the base and of the working tree.
type samples struct {
	order      []string
	base, work map[string][]string
}

func newSamples() *samples { return &samples{base: map[string][]string{}, work: map[string][]string{}} }

// ratioUnit is the time of a turn as a part of the time of the first base's turn in the same round.
const ratioUnit = "of-base"

// round runs base, working tree and base again, beginning with another one each round.
func (p pair) round(ctx context.Context, o options, round int, s *samples) error {
	type turn struct {
		binary, dir string
		results     map[string]result
	}
	baseDir, workDir := filepath.Join(p.tree, p.pkg), p.pkg
	turns := []*turn{{binary: p.base, dir: baseDir}, {binary: p.work, dir: workDir}, {binary: p.base, dir: baseDir}}
	for i := range turns {
		t := turns[(i+round)%len(turns)]
		var err error
		if t.results, err = bench(ctx, t.binary, t.dir, o); err != nil {
			return fmt.Errorf("%s: %w", p.pkg, err)
		}
	}
	first, work, again := turns[0].results, turns[1].results, turns[2].results
	for name, r := range work {
		if first[name] == nil || again[name] == nil {
			continue // new: there is nothing to compare with
		}
		s.add(name, again[name].line(name, first[name]), r.line(name, first[name]))
	}
	return nil
}

func (s *samples) add(name, base, work string) {
	if !slices.Contains(s.order, name) {
		s.order = append(s.order, name)
	}
	s.base[name], s.work[name] = append(s.base[name], base), append(s.work[name], work)
}

// bench runs a test binary's benchmarks once.
func bench(ctx context.Context, binary, dir string, o options) (map[string]result, error) {
	cmd := exec.CommandContext(ctx, binary, "-test.run=^$", "-test.bench="+o.bench, "-test.benchtime="+o.benchtime, "-test.benchmem")
	cmd.Dir = dir
	output, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, output)
	}
	return parse(output), nil
}

// parse reads lines "BenchmarkName N value unit value unit ...".
func parse(output []byte) map[string]result {
	results := map[string]result{}
	for line := range bytes.Lines(output) {
		fields := strings.Fields(string(line))
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		r := result{}
		for i := 2; i+1 < len(fields); i += 2 {
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				r[fields[i+1]] = value
			}
		}
		results[fields[0]] = r
	}
	return results
}

// time of an operation: of the processor where the benchmark tells it, else by the clock.
func (r result) time() float64 {
	if cpu, ok := r["cpu-ns/op"]; ok {
		return cpu
	}
	return r["ns/op"]
}

// line is a result as benchstat reads it: its time as a part of the first's, and what does not depend on the machine.
func (r result) line(name string, first result) string {
	line := fmt.Sprintf("%s 1 %g %s", name, r.time()/first.time(), ratioUnit)
	for _, unit := range []string{"B/op", "allocs/op"} {
		if value, ok := r[unit]; ok {
			line += fmt.Sprintf(" %g %s", value, unit)
		}
	}
	return line
}
