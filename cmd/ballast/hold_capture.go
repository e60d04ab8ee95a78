package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newHoldCaptureCommand(a *app) *cobra.Command {
	var flags operationFlags
	var capture client.Capture
	cmd := &cobra.Command{
		Use:   "capture HOLD [AMOUNT]",
		Short: "Debit what a hold holds, or a part of it",
		Long: "Debit what a hold holds, or a part of it. That ends the hold, and the rest is available again, unless it was\n" +
			"created --in-parts: then it stays held until --last, or until nothing remains.",
		Example: "  ballast hold capture ride-4711 45.50 --to taxi-17",
		Args:    args("HOLD", "[AMOUNT]"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		_, d, err := ofHold(ctx, c, args[0])
		if err != nil {
			return err
		}
		if len(args) > 1 {
			if capture.Amount, err = d.parsePositive("amount", args[1]); err != nil {
				return err
			}
		}
		op := client.NewCaptureHold(args[0], capture)
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	cmd.Flags().StringVar(&capture.To, "to", "", "`account` to credit (default: the ledger's own, as with a debit)")
	cmd.Flags().BoolVar(&capture.Last, "last", false, "of a hold in parts: this is the last one, the rest is available again")
	flags.addFlags(cmd.Flags())
	return cmd
}
