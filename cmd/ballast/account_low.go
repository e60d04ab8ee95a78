package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newAccountLowCommand(a *app) *cobra.Command {
	var flags operationFlags
	cmd := &cobra.Command{
		Use:   "low ACCOUNT [AMOUNT]",
		Short: "Have it told when less than AMOUNT is available",
		Long: "Have the feed (ballast watch) tell when less than AMOUNT becomes available on an account: once, and again\n" +
			"only after it was at or above AMOUNT. With no AMOUNT nothing is told any more.",
		Example: "  ballast account low alice 20.00\n  ballast watch --kind low_balance",
		Args:    args("ACCOUNT", "[AMOUNT]"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		d, err := ofAccount(ctx, c, args[0])
		if err != nil {
			return err
		}
		threshold := int64(0)
		if len(args) > 1 {
			if threshold, err = d.parsePositive("amount", args[1]); err != nil {
				return err
			}
		}
		op := client.NewSetLowBalance(args[0], threshold)
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	flags.addFlags(cmd.Flags())
	return cmd
}
