package failover

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/ballastdb/ballast/internal/workload"
)

// Bars, milliseconds.
const (
	// barSecondSlowest of the kills.
	barSecondSlowest = 2000
	// barAdded by any one hand-over: its slowest write less the slowest of as long a time just before.
	barAdded = 100
)

// Report is what a measurement came to.
type Report struct {
	// Kills are the times from the signal to the next acknowledged write.
	Kills []time.Duration
	// Handovers are the transfers.
	Handovers []Handover
	// Done and Failed count the writes, Skipped those that were not begun because too many waited.
	Done, Failed, Skipped int
	// Balance is what all accounts had in the end; Done, if nothing was lost or applied twice.
	Balance int64
}

// Rows are the figures, held against their bars.
func (r *Report) Rows() ([]workload.Row, error) {
	rows := []workload.Row{
		{Name: "failover/writes", Value: float64(r.Done), Unit: workload.UnitCalls},
		{Name: "failover/failed", Value: float64(r.Failed), Unit: workload.UnitCalls},
		{Name: "failover/not_begun", Value: float64(r.Skipped), Unit: workload.UnitCalls},
		{Name: "failover/lost_or_twice", Value: max(float64(r.Balance)-float64(r.Done), float64(r.Done)-float64(r.Balance)), Unit: workload.UnitCalls},
	}
	bars := map[string]float64{"failover/failed": 0, "failover/lost_or_twice": 0}
	if n := len(r.Kills); n > 0 {
		sorted := slices.Sorted(slices.Values(r.Kills))
		rows = append(rows,
			workload.Row{Name: "failover/kills", Value: float64(n), Unit: workload.UnitCalls},
			latency("failover/p50", sorted[(n-1)/2]), latency("failover/second_slowest", sorted[max(n-2, 0)]), latency("failover/max", sorted[n-1]))
		bars["failover/second_slowest"] = barSecondSlowest
	}
	if n := len(r.Handovers); n > 0 {
		var slowest, before, took time.Duration
		var added []time.Duration
		for _, h := range r.Handovers {
			slowest, before, took = max(slowest, h.Slowest), max(before, h.Before), max(took, h.Took)
			added = append(added, h.Slowest-h.Before)
		}
		slices.Sort(added)
		rows = append(rows,
			workload.Row{Name: "handover/transfers", Value: float64(n), Unit: workload.UnitCalls},
			latency("handover/longest_transfer", took), latency("handover/slowest_write_before", before),
			latency("handover/slowest_write", slowest), latency("handover/added_p50", added[(n-1)/2]), latency("handover/added", added[n-1]))
		bars["handover/added"] = barAdded
	}
	_, err := workload.ApplyBars(rows, bars)
	return rows, err
}

func latency(name string, d time.Duration) workload.Row {
	return workload.Row{Name: name, Value: float64(d.Microseconds()) / 1000, Unit: workload.UnitLatency}
}

// WriteTable writes rows for people.
func WriteTable(w io.Writer, rows []workload.Row) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "name\tvalue\tunit\tbar\tmet")
	for _, row := range rows {
		bar, met := "", ""
		if row.Bar != nil {
			bar, met = fmt.Sprintf("%.0f", *row.Bar), map[bool]string{true: "yes", false: "no"}[*row.Met]
		}
		fmt.Fprintf(table, "%s\t%.1f\t%s\t%s\t%s\n", row.Name, row.Value, row.Unit, bar, met)
	}
	return table.Flush()
}
