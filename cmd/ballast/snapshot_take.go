package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
)

func newSnapshotTakeCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "take",
		Short: "Have every member take a snapshot at the same point of the log",
		Long: "Have every member take a snapshot at the same point of the log, though none is due, and wait until the\n" +
			"leader has it. Members that are busy with an earlier one go without. Give a large one more time than usual.",
		Example: "  ballast snapshot take --timeout 5m",
		Args:    args(),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, _ []string) error {
		index, err := c.Operator().TakeSnapshot(ctx)
		if err != nil {
			return operatorError(err)
		}
		g := &render.Grid{Columns: []render.Column{{Name: "index"}}}
		g.Add(strconv.FormatUint(index, 10))
		return a.write(g, map[string]uint64{"index": index})
	})
	return cmd
}
