package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newAccountCapCommand(a *app) *cobra.Command {
	var flags operationFlags
	cmd := &cobra.Command{
		Use:   "cap ACCOUNT [AMOUNT/TIME...]",
		Short: "Cap how much an account may be debited in any stretch of time",
		Long: "Cap how much an account may be debited in any stretch of time, at most two caps. They replace those that the\n" +
			"account has; with none given nothing is capped any more.",
		Example: "  ballast account cap alice 100.00/1h 500.00/24h\n  ballast account cap alice",
		Args:    args("ACCOUNT", "[AMOUNT/TIME...]"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		d, err := ofAccount(ctx, c, args[0])
		if err != nil {
			return err
		}
		caps := make([]client.Cap, 0, len(args)-1)
		for _, text := range args[1:] {
			limit, window, _ := strings.Cut(text, "/")
			one := client.Cap{}
			if one.Window, err = time.ParseDuration(window); err != nil {
				return usagef("cap %q: write an amount and a time, such as 100.00/1h", text)
			}
			if one.Limit, err = d.parse("cap", limit); err != nil {
				return err
			}
			caps = append(caps, one)
		}
		op := client.NewSetVelocity(args[0], caps)
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	flags.addFlags(cmd.Flags())
	return cmd
}
