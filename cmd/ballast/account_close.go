package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newAccountCloseCommand(a *app) *cobra.Command {
	var flags operationFlags
	cmd := &cobra.Command{
		Use:     "close ACCOUNT",
		Short:   "Close an account for ever; its balance must be zero",
		Example: "  ballast account close alice",
		Args:    args("ACCOUNT"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, ids []string) error {
		d, err := ofAccount(ctx, c, ids[0])
		if err != nil {
			return err
		}
		op := client.NewCloseAccount(ids[0])
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	flags.addFlags(cmd.Flags())
	return cmd
}
