package kinds

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/ballastdb/ballast/internal/workload"
)

// Rows are the figures: apply/KIND in nanoseconds, and apply/KIND/of_transfer held against the bar.
func Rows(costs []Cost) (rows []workload.Row) {
	for _, c := range costs {
		bar, met := float64(Bar), c.OfTransfer <= Bar
		rows = append(rows, workload.Row{Name: "apply/" + c.Kind, Value: float64(c.Each), Unit: workload.UnitNanos},
			workload.Row{Name: "apply/" + c.Kind + "/of_transfer", Value: c.OfTransfer, Unit: workload.UnitTransfers, Bar: &bar, Met: &met})
	}
	return rows
}

// WriteTable writes costs for people.
func WriteTable(w io.Writer, costs []Cost) error {
	fmt.Fprintf(w, "\napplying an operation, one core, %d operations at a time; at most %d plain transfers are wanted\n", batch, Bar)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "kind\tCPU ns\ttransfers\t\t")
	for _, c := range costs {
		over := ""
		if c.OfTransfer > Bar {
			over = "over"
		}
		fmt.Fprintf(table, "%s\t%d\t%.2f\t%s\t\n", c.Kind, c.Each.Nanoseconds(), c.OfTransfer, over)
	}
	return table.Flush()
}
