package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
)

func newLeaderTransferCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "transfer [MEMBER]",
		Short:   "Hand leadership to another voter",
		Long:    "Hand leadership to the named voter, or to the one that is furthest.",
		Example: "  ballast leader transfer node-2",
		Args:    args("[MEMBER]"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		name := ""
		if len(args) == 1 {
			name = args[0]
		}
		leader, err := c.Operator().TransferLeadership(ctx, name)
		if err != nil {
			return operatorError(err)
		}
		grid := &render.Grid{Columns: []render.Column{{Name: "leader"}}}
		grid.Add(leader)
		return a.write(grid, map[string]string{"leader": leader})
	})
	return cmd
}
