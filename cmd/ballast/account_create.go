package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newAccountCreateCommand(a *app) *cobra.Command {
	var flags operationFlags
	var limits limitFlags
	var ledger string
	cmd := &cobra.Command{
		Use:     "create ACCOUNT --ledger LEDGER",
		Short:   "Open an account with balance zero",
		Example: "  ballast account create alice --ledger usd\n  ballast account create bob --ledger usd --floor -100.00",
		Args:    args("ACCOUNT"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, ids []string) error {
		if ledger == "" {
			return usagef("--ledger is missing: which ledger does %s belong to? (see: ballast ledger list)", ids[0])
		}
		d, err := ofLedger(ctx, c, ledger)
		if err != nil {
			return err
		}
		bounds, err := limits.limits(d)
		if err != nil {
			return err
		}
		op := client.NewCreateAccount(ids[0], ledger, bounds)
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	cmd.Flags().StringVar(&ledger, "ledger", "", "the `ledger` it belongs to")
	limits.addFlags(cmd)
	flags.addFlags(cmd.Flags())
	return cmd
}
