package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newReverseCommand(a *app) *cobra.Command {
	var flags operationFlags
	var ledger string
	cmd := &cobra.Command{
		Use:   "reverse SEQUENCE [AMOUNT]",
		Short: "Move back what an entry moved, once, whole or part",
		Long: "Move back what the entry of this sequence number moved, once. The new entry names the one that it reverses.\n" +
			"An AMOUNT is a part of it, in the decimals of --ledger; the rest stays where it is for good.",
		Example: "  ballast reverse 4711 --reference complaint-12",
		Args:    args("SEQUENCE", "[AMOUNT]"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		sequence, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil || sequence == 0 {
			return usagef("SEQUENCE %q: it must be a number from 1, as a statement shows it", args[0])
		}
		if ledger == "" {
			return usagef("--ledger is missing: it says what amounts are counted in")
		}
		d, err := ofLedger(ctx, c, ledger)
		if err != nil {
			return err
		}
		part := int64(0)
		if len(args) > 1 {
			if part, err = d.parsePositive("amount", args[1]); err != nil {
				return err
			}
		}
		op := client.NewReverse(sequence, part)
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	cmd.Flags().StringVar(&ledger, "ledger", "", "`ledger` of the entry's accounts (required)")
	flags.addFlags(cmd.Flags())
	return cmd
}
