package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/client/amount"
)

func newLedgerCreateCommand(a *app) *cobra.Command {
	var flags operationFlags
	var asset string
	var scale uint32
	cmd := &cobra.Command{
		Use:   "create NAME --asset ASSET --scale N",
		Short: "Make a ledger: a set of accounts in one asset",
		Long: "Make a ledger: a set of accounts in one asset at one scale. The scale is how many decimals\n" +
			"amounts have, 0 to 18, and never changes: at 2 the smallest amount is 0.01.",
		Example: "  ballast ledger create usd --asset USD --scale 2",
		Args:    args("NAME"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		switch {
		case asset == "":
			return usagef("--asset is missing: what does the ledger count? such as --asset USD")
		case !cmd.Flags().Changed("scale"):
			return usagef("--scale is missing: how many decimals do amounts have? such as --scale 2")
		case scale > amount.MaxScale:
			return usagef("--scale %d: it must lie between 0 and %d", scale, amount.MaxScale)
		}
		op := client.NewCreateLedger(args[0], asset, scale)
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, denomination{ledger: args[0], scale: scale})
	})
	cmd.Flags().StringVar(&asset, "asset", "", "what it counts, such as USD")
	cmd.Flags().Uint32Var(&scale, "scale", 0, "decimals of an amount, 0 to 18")
	flags.addFlags(cmd.Flags())
	return cmd
}
