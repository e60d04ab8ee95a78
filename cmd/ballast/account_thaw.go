package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newAccountThawCommand(a *app) *cobra.Command {
	var flags operationFlags
	cmd := &cobra.Command{
		Use:     "thaw ACCOUNT",
		Short:   "Accept debits and credits of a frozen account again",
		Example: "  ballast account thaw alice",
		Args:    args("ACCOUNT"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, ids []string) error {
		return a.setFrozen(ctx, c, ids[0], client.Thawed, &flags)
	})
	flags.addFlags(cmd.Flags())
	return cmd
}
