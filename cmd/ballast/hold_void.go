package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newHoldVoidCommand(a *app) *cobra.Command {
	var flags operationFlags
	cmd := &cobra.Command{
		Use:     "void HOLD",
		Short:   "End a hold: what it holds is available again",
		Example: "  ballast hold void ride-4711",
		Args:    args("HOLD"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		_, d, err := ofHold(ctx, c, args[0])
		if err != nil {
			return err
		}
		op := client.NewVoidHold(args[0])
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	flags.addFlags(cmd.Flags())
	return cmd
}
