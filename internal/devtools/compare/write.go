package compare

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/ballastdb/ballast/internal/workload"
)

// Write leaves rows.json, table.txt, index.html and the latency distributions (CASE-TARGET.hgrm, as HdrHistogram's tools
// read them) in a directory, which is made where it is missing.
func (r *Report) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	errs := []error{
		writeFile(filepath.Join(dir, "rows.json"), r.WriteRows),
		writeFile(filepath.Join(dir, "table.txt"), r.WriteText),
		writeFile(filepath.Join(dir, "index.html"), r.WritePage),
	}
	for _, o := range r.outcomes {
		for _, t := range o.targets {
			name := fmt.Sprintf("%s-%s.hgrm", o.c.Name(), t.name)
			errs = append(errs, writeFile(filepath.Join(dir, name), func(w io.Writer) error {
				_, err := t.turn.result.Latency.PercentilesPrint(w, 5, 1000) // in milliseconds
				return err
			}))
		}
	}
	return errors.Join(errs...)
}

// WriteRows writes the rows as JSON.
func (r *Report) WriteRows(w io.Writer) error { return workload.WriteJSON(w, r.Rows()) }

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// WriteText writes everything but the plots for people.
func (r *Report) WriteText(w io.Writer) error {
	for _, line := range append([]string{r.Title}, r.Conditions...) {
		fmt.Fprintln(w, line)
	}
	for _, s := range r.Settings {
		fmt.Fprintf(w, "\n%s\n  %s\n", s.System, strings.Join(s.Lines, "\n  "))
	}
	for _, o := range r.outcomes {
		fmt.Fprintf(w, "\n%s: %s\n%s\n", o.c.Name(), o.c.Summary, o.conditions())
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(table, strings.Join(tableHead(), "\t")+"\t")
		for _, cells := range o.table() {
			fmt.Fprintln(table, strings.Join(cells, "\t")+"\t")
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	for _, section := range r.remarks() {
		if len(section.lines) > 0 {
			fmt.Fprintf(w, "\n%s\n  %s\n", section.title, strings.Join(section.lines, "\n  "))
		}
	}
	return nil
}

func (o *outcome) conditions() string {
	w := o.c.Workload
	text := fmt.Sprintf("%d accounts, %d callers, %d a call, %d rounds of %v after %v each", w.Accounts, w.Callers, w.Operations,
		o.c.Rounds, w.Duration, w.Warmup)
	if w.ZipfS > 0 {
		text += fmt.Sprintf(", Zipf s %v", w.ZipfS)
	}
	if w.Rate > 0 {
		text += fmt.Sprintf(", open loop of %v calls a second", w.Rate)
	}
	return text
}

func tableHead() []string {
	return []string{
		"target", "ops/s", "rounds", "p50 ms", "p99 ms", "max ms", "cpu us/op", "client us/op", "written B/op", "ours/it", "p50 ours/it",
	}
}

// table has a line for each target.
func (o *outcome) table() (lines [][]string) {
	var own map[string]float64
	if ours := o.of(o.c.Targets[0]); ours != nil {
		own = ours.figures()
	}
	for _, t := range o.targets {
		f := t.figures()
		ratio := func(name string) string {
			if own[name] == 0 || f[name] == 0 {
				return ""
			}
			return fmt.Sprintf("%.2f", own[name]/f[name])
		}
		cpu := "in client"
		if value, ok := f[ServerCPU]; ok {
			cpu = fmt.Sprintf("%.1f", value)
		}
		lines = append(lines, []string{
			t.name, fmt.Sprintf("%.0f", f[Throughput]), t.turn.spread(), fmt.Sprintf("%.2f", f[P50]), fmt.Sprintf("%.2f", f[P99]),
			fmt.Sprintf("%.2f", f[Longest]), cpu, fmt.Sprintf("%.1f", f[ClientCPU]), fmt.Sprintf("%.0f", f[Written]), ratio(Throughput), ratio(P50),
		})
	}
	return lines
}

// spread is the throughput of the rounds, least and most.
func (t *turn) spread() string {
	least, most := t.throughputs[0], t.throughputs[0]
	for _, v := range t.throughputs {
		least, most = min(least, v), max(most, v)
	}
	return fmt.Sprintf("%.0f-%.0f", least, most)
}

// section of remarks.
type section struct {
	title string
	lines []string
}

func (r *Report) remarks() []section {
	var met, missed []string
	for _, row := range r.Rows() {
		if row.Met == nil {
			continue
		}
		line := fmt.Sprintf("%s: %.4g %s, bar %.4g", row.Name, row.Value, row.Unit, *row.Bar)
		if *row.Met {
			met = append(met, line)
		} else {
			missed = append(missed, line)
		}
	}
	return []section{
		{"Bars that are met", met},
		{"Bars that are MISSED", missed},
		{"Bars without a verdict in this run", r.Unjudged()},
		{"Skipped", r.Skipped},
		{"FAILED, without figures", r.Failed},
	}
}
