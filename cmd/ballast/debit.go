package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newDebitCommand(a *app) *cobra.Command {
	var flags operationFlags
	cmd := &cobra.Command{
		Use:     "debit ACCOUNT AMOUNT",
		Short:   "Lower a balance, not below the account's floor",
		Example: "  ballast debit alice 25.50\n  ballast debit alice 25.50 --code 7 --reference call-4711",
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
		op := client.NewDebit(args[0], units)
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	flags.addFlags(cmd.Flags())
	return cmd
}
