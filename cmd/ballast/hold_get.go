package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newHoldGetCommand(a *app) *cobra.Command {
	var read reading
	cmd := &cobra.Command{
		Use:     "get HOLD",
		Short:   "Show a hold, open or ended",
		Example: "  ballast hold get ride-4711 -o json",
		Args:    args("HOLD"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		h, err := c.GetHold(ctx, args[0], read.options()...)
		if err != nil {
			return holdError(err, args[0])
		}
		view := &holdWithRead{holdView: viewHold(h)}
		if read.stale {
			view.Read = read.view()
		}
		if err := a.write(holdGrid([]*holdView{view.holdView}), view); err != nil {
			return err
		}
		read.tell(a)
		return nil
	})
	read.addFlags(cmd.Flags())
	return cmd
}
