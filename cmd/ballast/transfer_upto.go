package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newTransferUpToCommand(a *app) *cobra.Command {
	var flags operationFlags
	var to string
	cmd := &cobra.Command{
		Use:     "take ACCOUNT AMOUNT",
		Short:   "Lower a balance by as much as is available, at most AMOUNT",
		Example: "  ballast take alice 12.00\n  ballast take alice 12.00 --to shop",
		Args:    args("ACCOUNT", "AMOUNT"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		if args[0] == to {
			return usagef("ACCOUNT and --to are the same account, %q", to)
		}
		d, err := ofAccount(ctx, c, args[0])
		if err != nil {
			return err
		}
		units, err := d.parsePositive("amount", args[1])
		if err != nil {
			return err
		}
		op := client.NewTransferUpTo(args[0], to, units)
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	cmd.Flags().StringVar(&to, "to", "", "`account` to credit (default: the ledger's own, as with a debit)")
	flags.addFlags(cmd.Flags())
	return cmd
}
