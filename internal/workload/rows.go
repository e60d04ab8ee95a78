package workload

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Row is one figure of a benchmark.
type Row struct {
	// Name, such as "bulk/throughput" or "floor/bulk/throughput".
	Name string `json:"name"`
	// Value in Unit.
	Value float64 `json:"value"`
	// Unit: "ops/s", "ms", "ns", "calls", "transfers" or "ratio".
	Unit string `json:"unit"`
	// Bar that the value is held against: at least this for throughput and ratios, at most for all else. Null: none.
	Bar *float64 `json:"bar"`
	// Met tells whether it reaches its bar. Null without one.
	Met *bool `json:"met"`
}

// Units of rows.
const (
	UnitThroughput = "ops/s"
	UnitLatency    = "ms"
	UnitNanos      = "ns"
	UnitCalls      = "calls"
	UnitRatio      = "ratio"
	UnitTransfers  = "transfers" // what something costs, in plain transfers
)

// Rows are the figures of a result; prefix tells targets apart ("" or "floor/").
func (r *Result) Rows(prefix string) []Row {
	name := prefix + r.Config.Name
	return []Row{
		{Name: name + "/throughput", Value: r.Throughput(), Unit: UnitThroughput},
		{Name: name + "/p50", Value: milliseconds(r.Quantile(50)), Unit: UnitLatency},
		{Name: name + "/p99", Value: milliseconds(r.Quantile(99)), Unit: UnitLatency},
		{Name: name + "/max", Value: milliseconds(r.Longest), Unit: UnitLatency},
		{Name: name + "/failed", Value: float64(r.Failed), Unit: UnitCalls},
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// ApplyBars holds rows against bars by name and reports whether all that have one meet it. A bar that no row has is an
// error: a renamed row must not lose its bar unseen.
func ApplyBars(rows []Row, bars map[string]float64) (allMet bool, err error) {
	allMet = true
	found := 0
	for i := range rows {
		bar, ok := bars[rows[i].Name]
		if !ok {
			continue
		}
		found++
		met := rows[i].Value <= bar
		if rows[i].Unit == UnitThroughput || rows[i].Unit == UnitRatio {
			met = rows[i].Value >= bar
		}
		rows[i].Bar, rows[i].Met = &bar, &met
		allMet = allMet && met
	}
	if found != len(bars) {
		return false, fmt.Errorf("%d bars, only %d of them name a row", len(bars), found)
	}
	return allMet, nil
}

// WriteJSON writes rows as a JSON array.
func WriteJSON(w io.Writer, rows []Row) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(rows)
}

// WriteTable writes results for people, one line for each, in the order given. labels name the targets.
func WriteTable(w io.Writer, labels []string, results []Result) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "workload\ttarget\tcallers\tops/call\tops/s\tp50 ms\tp99 ms\tmax ms\trefused\tfailed\t")
	for i := range results {
		r := &results[i]
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t%d\t%d\t\n", r.Config.Name, labels[i], r.Config.Callers,
			r.Config.Operations, r.Throughput(), milliseconds(r.Quantile(50)), milliseconds(r.Quantile(99)),
			milliseconds(r.Longest), r.Refused, r.Failed)
	}
	return table.Flush()
}
