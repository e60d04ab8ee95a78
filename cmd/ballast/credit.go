package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newCreditCommand(a *app) *cobra.Command {
	var flags operationFlags
	cmd := &cobra.Command{
		Use:     "credit ACCOUNT AMOUNT",
		Short:   "Raise a balance",
		Example: "  ballast credit alice 100.00\n  ballast credit alice 100.00 --reference invoice-17 --event-time 2026-01-31",
		Args:    args("ACCOUNT", "AMOUNT"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		d, err := ofAccount(ctx, c, args[0])
		if err != nil {
			return err
		}
		units, err := d.parsePositive("amount", args[1])
		if err != nil {
			return err
		}
		op := client.NewCredit(args[0], units)
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	flags.addFlags(cmd.Flags())
	return cmd
}
