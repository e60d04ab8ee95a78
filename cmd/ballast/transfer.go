package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newTransferCommand(a *app) *cobra.Command {
	var flags operationFlags
	cmd := &cobra.Command{
		Use:     "transfer FROM TO AMOUNT",
		Short:   "Move an amount between two accounts of one ledger",
		Example: "  ballast transfer alice bob 12.00",
		Args:    args("FROM", "TO", "AMOUNT"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		if args[0] == args[1] {
			return usagef("FROM and TO are the same account, %q", args[0])
		}
		d, err := ofAccount(ctx, c, args[0])
		if err != nil {
			return err
		}
		units, err := d.parsePositive("amount", args[2])
		if err != nil {
			return err
		}
		op := client.NewTransfer(args[0], args[1], units)
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	flags.addFlags(cmd.Flags())
	return cmd
}
