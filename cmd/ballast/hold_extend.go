package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newHoldExtendCommand(a *app) *cobra.Command {
	var flags operationFlags
	var more time.Duration
	cmd := &cobra.Command{
		Use:     "extend HOLD",
		Short:   "Let a hold expire later",
		Example: "  ballast hold extend ride-4711 --for 1h",
		Args:    args("HOLD"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		if err := checkLifetime(more); err != nil {
			return err
		}
		_, d, err := ofHold(ctx, c, args[0])
		if err != nil {
			return err
		}
		op := client.NewExtendHold(args[0], more)
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	lifetime(cmd.Flags(), &more)
	flags.addFlags(cmd.Flags())
	return cmd
}
