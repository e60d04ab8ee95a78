package compare

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ballastdb/ballast/internal/workload"
)

// Report is what a run came to.
type Report struct {
	// Title and Conditions of the machine and the run, one a line.
	Title      string
	Conditions []string
	// Settings of every system that was started.
	Settings []SystemSettings
	// Skipped systems and targets, with the reason.
	Skipped []string
	// Failed systems, and targets in single cases, whose figures are not here.
	Failed []string

	logStore string
	outcomes []*outcome
}

// SystemSettings are a system's, one a line.
type SystemSettings struct {
	System string
	Lines  []string
}

// outcome is a case's.
type outcome struct {
	c       Case
	targets []*targetOutcome // in the order of the case
	dropped []string         // names of those whose calls failed
}

type targetOutcome struct {
	name   string
	system *contender
	turn   *turn
}

func newReport(o Options) *Report {
	return &Report{
		Title: "Ballast beside raft alone and its peers", logStore: o.LogStore,
		Conditions: []string{
			time.Now().UTC().Format("2006-01-02 15:04 UTC"),
			fmt.Sprintf("%d CPUs, %s %s/%s, raft log in %s", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, o.LogStore),
			"members, peers and the load share this machine and its disk, over loopback; they took turns, so only ratios within this run mean something",
		},
	}
}

func (r *Report) skip(name, why string) { r.Skipped = append(r.Skipped, name+": "+why) }

// skipUnknown names the targets of cases that no system offers.
func (r *Report) skipUnknown(cases []Case, running []*contender) {
	for _, c := range cases {
		for _, name := range c.Targets {
			known := slices.ContainsFunc(running, func(r *contender) bool {
				return slices.ContainsFunc(r.targets, func(t Target) bool { return t.Name == name })
			})
			if line := name + ": not in this run"; !known && !slices.Contains(r.Skipped, line) {
				r.Skipped = append(r.Skipped, line)
			}
		}
	}
}

// fail takes a system's figures out.
func (r *Report) fail(system string, why error, targets []Target) {
	r.Failed = append(r.Failed, fmt.Sprintf("%s: %v", system, why))
	for _, o := range r.outcomes {
		o.targets = slices.DeleteFunc(o.targets, func(t *targetOutcome) bool {
			return slices.ContainsFunc(targets, func(gone Target) bool { return gone.Name == t.name })
		})
	}
}

func (r *Report) begin(c Case) *outcome {
	o := &outcome{c: c}
	r.outcomes = append(r.outcomes, o)
	return o
}

// add adds a turn of a target.
func (o *outcome) add(name string, system *contender, t *turn) {
	of := o.of(name)
	if of == nil {
		of = &targetOutcome{name: name, system: system, turn: newTurn(o.c.Workload)}
		o.targets = append(o.targets, of)
		slices.SortFunc(o.targets, func(a, b *targetOutcome) int {
			return slices.Index(o.c.Targets, a.name) - slices.Index(o.c.Targets, b.name)
		})
	}
	of.turn.merge(t)
}

// drop takes a target out for good.
func (o *outcome) drop(name string) {
	o.dropped = append(o.dropped, name)
	o.targets = slices.DeleteFunc(o.targets, func(t *targetOutcome) bool { return t.name == name })
}

func (o *outcome) of(name string) *targetOutcome {
	if i := slices.IndexFunc(o.targets, func(t *targetOutcome) bool { return t.name == name }); i >= 0 {
		return o.targets[i]
	}
	return nil
}

// figures are the target's, those of its system included.
func (t *targetOutcome) figures() map[string]float64 {
	f := t.turn.figures()
	if t.system.perAccount > 0 {
		f[PerAccount] = t.system.perAccount
	}
	return f
}

// Rows are all figures: CASE/TARGET/FIGURE, and CASE/TARGET/FIGURE/of/OTHER for ratios. A bar on a figure that is not
// there has no row; Unjudged names it.
func (r *Report) Rows() (rows []workload.Row) {
	for _, o := range r.outcomes {
		for _, t := range o.targets {
			figures := t.figures()
			for _, name := range sortedNames(figures) {
				row := workload.Row{Name: o.c.Name() + "/" + t.name + "/" + name, Value: figures[name], Unit: unitOf(name)}
				if t.name == o.c.Targets[0] {
					for _, bar := range o.c.Bars {
						if bar.Figure == name && bar.Of == "" && r.judges(o, t, bar) {
							bar.judge(&row)
						}
					}
				}
				rows = append(rows, row)
			}
		}
		rows = append(rows, r.ratios(o)...)
	}
	return rows
}

// ratios compare the first target's throughput with that of every other, and what else there is a bar for.
func (r *Report) ratios(o *outcome) (rows []workload.Row) {
	ours := o.of(o.c.Targets[0])
	if ours == nil {
		return nil
	}
	own := ours.figures()
	for _, t := range o.targets {
		if t == ours {
			continue
		}
		others := t.figures()
		for _, name := range []string{Throughput, P50} {
			if others[name] == 0 {
				continue
			}
			row := workload.Row{
				Name: o.c.Name() + "/" + ours.name + "/" + name + "/of/" + t.name, Value: own[name] / others[name], Unit: workload.UnitRatio,
			}
			for _, bar := range o.c.Bars {
				if bar.Figure == name && bar.Of == t.name && r.judges(o, ours, bar) {
					bar.judge(&row)
				}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// judges tells whether a bar can be held against what was measured.
func (r *Report) judges(o *outcome, t *targetOutcome, bar Bar) bool {
	return (bar.LogStore == "" || bar.LogStore == r.logStore) && t.turn.result.Elapsed >= bar.For
}

// judge holds a row against the bar.
func (b Bar) judge(row *workload.Row) {
	bar, met := b.Least, row.Value >= b.Least
	if b.Most != 0 {
		bar, met = b.Most, row.Value <= b.Most
	}
	row.Bar, row.Met = &bar, &met
}

// Missed are the rows that miss their bars.
func (r *Report) Missed() (missed []workload.Row) {
	for _, row := range r.Rows() {
		if row.Met != nil && !*row.Met {
			missed = append(missed, row)
		}
	}
	return missed
}

// Unjudged names the bars that this run cannot tell about, with the reason.
func (r *Report) Unjudged() (lines []string) {
	for _, o := range r.outcomes {
		ours := o.of(o.c.Targets[0])
		for _, bar := range o.c.Bars {
			name := o.c.Name() + "/" + o.c.Targets[0] + "/" + bar.Figure
			if bar.Of != "" {
				name += "/of/" + bar.Of
			}
			switch {
			case bar.LogStore != "" && bar.LogStore != r.logStore:
				lines = append(lines, fmt.Sprintf("%s: the bar is for --log-store %s", name, bar.LogStore))
			case ours == nil || bar.Of != "" && o.of(bar.Of) == nil:
				lines = append(lines, name+": a target is missing")
			case ours.turn.result.Elapsed < bar.For:
				lines = append(lines, fmt.Sprintf("%s: %.4g after %v, the bar of %.4g is for %v", name, ours.figures()[bar.Figure],
					ours.turn.result.Elapsed.Round(time.Second), max(bar.Least, bar.Most), bar.For))
			}
		}
	}
	return lines
}

// order of figures in rows and tables.
func figureOrder() []string {
	return []string{
		Throughput, P50, P99, Longest, Refused, Failed, ServerCPU, ClientCPU, Written, ServerBytes, ServerCount, ClientBytes, ClientCount,
		LogEntries, QueueBytes, GCShare, GCPause, Resident, PerAccount,
	}
}

func sortedNames(figures map[string]float64) (names []string) {
	for name := range figures {
		names = append(names, name)
	}
	order := figureOrder()
	slices.SortFunc(names, func(a, b string) int {
		if c := slices.Index(order, a) - slices.Index(order, b); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return names
}
