package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newClusterRaiseVersionCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "raise-version [VERSION]",
		Short: "Raise the cluster version",
		Long: "Raise the cluster version, to the newest that every member's program applies or to the one given. Refused\n" +
			"while a member's program does not apply it, reachable or not; one that does not answer counts as it\n" +
			"was known last. There is no way back: a program that does not apply it does not start any more.",
		Example: "  ballast cluster raise-version",
		Args:    args("[VERSION]"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		wanted := uint64(0)
		if len(args) == 1 {
			var err error
			if wanted, err = strconv.ParseUint(args[0], 10, 32); err != nil || wanted == 0 {
				return usagef("VERSION %q: want a number from 1, such as 2", args[0])
			}
		}
		before, after, err := c.Operator().RaiseClusterVersion(ctx, uint32(wanted))
		if err != nil {
			return operatorError(err)
		}
		view := clusterVersionView{Before: before, Version: after}
		return a.write(view.grid(), view)
	})
	return cmd
}
