package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newAccountFreezeCommand(a *app) *cobra.Command {
	var flags operationFlags
	var creditsToo, thaw bool
	cmd := &cobra.Command{
		Use:     "freeze ACCOUNT",
		Short:   "Refuse an account's debits, or everything",
		Example: "  ballast account freeze alice --credits-too",
		Args:    args("ACCOUNT"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, ids []string) error {
		freeze := client.DebitsFrozen
		switch {
		case thaw && creditsToo:
			return usagef("--thaw and --credits-too exclude each other: thawing accepts everything again")
		case thaw:
			freeze = client.Thawed
		case creditsToo:
			freeze = client.FullyFrozen
		}
		return a.setFrozen(ctx, c, ids[0], freeze, &flags)
	})
	cmd.Flags().BoolVar(&creditsToo, "credits-too", false, "refuse credits as well")
	cmd.Flags().BoolVar(&thaw, "thaw", false, "accept everything again, as account thaw does")
	flags.addFlags(cmd.Flags())
	return cmd
}

func (a *app) setFrozen(ctx context.Context, c *client.Client, id string, freeze client.Freeze, flags *operationFlags) error {
	d, err := ofAccount(ctx, c, id)
	if err != nil {
		return err
	}
	op := client.NewSetFrozen(id, freeze)
	if err := flags.apply(c, op); err != nil {
		return err
	}
	return a.submit(ctx, c, flags, op, d)
}
