package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newTopUpGetCommand(a *app) *cobra.Command {
	var read reading
	cmd := &cobra.Command{
		Use:     "get TOP-UP",
		Short:   "Show a top-up, open or ended",
		Example: "  ballast topup get 6f1d2c3b-4a59-8e70-9b1c-0d2e4f6a8c1b -o json",
		Args:    args("TOP-UP"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		t, err := c.GetTopUp(ctx, args[0], read.options()...)
		if err != nil {
			return topUpError(err, args[0])
		}
		view := &topUpWithRead{topUpView: viewTopUp(t)}
		if read.stale {
			view.Read = read.view()
		}
		if err := a.write(topUpGrid([]*topUpView{view.topUpView}), view); err != nil {
			return err
		}
		read.tell(a)
		return nil
	})
	read.addFlags(cmd.Flags())
	return cmd
}
