package catchup

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/ballastdb/ballast/internal/workload"
)

// Units of rows besides those of workload.
const (
	unitBytes   = "bytes"
	unitSeconds = "s"
	unitCount   = "count"
	unitBool    = "yes=1"
)

// Report is what a case came to.
type Report struct {
	// Case that was run, with this many accounts.
	Case     string
	Accounts int
	// Smoke: the figures mean nothing.
	Smoke bool
	// Took is how long all of it took.
	Took time.Duration
	// Rows are the figures. Whether a bar is a floor or a ceiling is in its row's Met.
	Rows []workload.Row
	// Notes say in words what figures cannot.
	Notes []string
	// Timelines second by second.
	Timelines []*Timeline
}

func (r *Report) add(name string, value float64, unit string) *workload.Row {
	r.Rows = append(r.Rows, workload.Row{Name: r.Case + "/" + name, Value: value, Unit: unit})
	return &r.Rows[len(r.Rows)-1]
}

// atMost adds a figure that must not be above bar.
func (r *Report) atMost(name string, value float64, unit string, bar float64) {
	row := r.add(name, value, unit)
	met := value <= bar
	row.Bar, row.Met = &bar, &met
}

// atLeast adds a figure that must not be below bar.
func (r *Report) atLeast(name string, value float64, unit string, bar float64) {
	row := r.add(name, value, unit)
	met := value >= bar
	row.Bar, row.Met = &bar, &met
}

// holds adds a condition that must be true.
func (r *Report) holds(name string, truth bool) {
	value := 0.0
	if truth {
		value = 1
	}
	r.atLeast(name, value, unitBool, 1)
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// Missed are the rows that miss their bars.
func (r *Report) Missed() (missed []workload.Row) {
	for _, row := range r.Rows {
		if row.Met != nil && !*row.Met {
			missed = append(missed, row)
		}
	}
	return missed
}

// WriteJSON writes the rows as a JSON array.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r.Rows)
}

// WriteText writes everything but the plots for people.
func (r *Report) WriteText(w io.Writer) error {
	for _, t := range r.Timelines {
		if err := t.writeTable(w); err != nil {
			return err
		}
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%s\tvalue\tunit\tbar\tmet\n", r.Case)
	for _, row := range r.Rows {
		bar, met := "", ""
		if row.Bar != nil {
			bar, met = number(*row.Bar), "no"
			if *row.Met {
				met = "yes"
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", row.Name, number(row.Value), row.Unit, bar, met)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, note := range r.Notes {
		if _, err := fmt.Fprintln(w, note); err != nil {
			return err
		}
	}
	smoke := ""
	if r.Smoke {
		smoke = ", smoke: the figures mean nothing"
	}
	_, err := fmt.Fprintf(w, "%d accounts, %v%s\n", r.Accounts, r.Took.Round(time.Second), smoke)
	return err
}

// number is a figure to three digits behind the point at most.
func number(v float64) string {
	if v == float64(int64(v)) {
		return fmt.Sprintf("%d", int64(v))
	}
	return fmt.Sprintf("%.3f", v)
}
