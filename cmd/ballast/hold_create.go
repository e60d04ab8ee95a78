package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newHoldCreateCommand(a *app) *cobra.Command {
	var flags operationFlags
	var terms client.HoldTerms
	cmd := &cobra.Command{
		Use:   "create ACCOUNT AMOUNT",
		Short: "Set an amount aside until it is captured, voided or expires",
		Long: "Set an amount aside: it is no longer available, and still posted. The hold's id is that of this operation.\n" +
			"It is captured (all or part, the rest is available again), voided, or expires by itself.",
		Example: "  ballast hold create alice 60.00 --for 15m --id ride-4711 --issued-at 2026-03-01T12:00:00Z",
		Args:    args("ACCOUNT", "AMOUNT"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		if err := checkLifetime(terms.Timeout); err != nil {
			return err
		}
		d, err := ofAccount(ctx, c, args[0])
		if err != nil {
			return err
		}
		units, err := d.parsePositive("amount", args[1])
		if err != nil {
			return err
		}
		op := client.NewHold(args[0], units, terms)
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	lifetime(cmd.Flags(), &terms.Timeout)
	cmd.Flags().BoolVar(&terms.InParts, "in-parts", false, "it may be captured in several parts")
	flags.addFlags(cmd.Flags())
	return cmd
}
