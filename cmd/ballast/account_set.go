package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newAccountSetCommand(a *app) *cobra.Command {
	var flags operationFlags
	var limits limitFlags
	cmd := &cobra.Command{
		Use:     "set ACCOUNT",
		Short:   "Change an account's floor or ceiling",
		Example: "  ballast account set alice --floor -250.00\n  ballast account set alice --no-ceiling",
		Args:    args("ACCOUNT"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, ids []string) error {
		if limits == (limitFlags{}) {
			return usagef("nothing to set: give --floor, --ceiling or --no-ceiling")
		}
		if limits.ceiling != "" && limits.noCeiling {
			return usagef("--ceiling and --no-ceiling exclude each other")
		}
		d, err := ofAccount(ctx, c, ids[0])
		if err != nil {
			return err
		}
		bounds, err := limits.limits(d)
		if err != nil {
			return err
		}
		op := client.NewSetLimits(ids[0], bounds)
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	limits.addFlags(cmd)
	cmd.Flags().BoolVar(&limits.noCeiling, "no-ceiling", false, "remove the ceiling")
	flags.addFlags(cmd.Flags())
	return cmd
}
