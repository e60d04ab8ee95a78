package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newHoldListCommand(a *app) *cobra.Command {
	var read reading
	cmd := &cobra.Command{
		Use:     "list ACCOUNT",
		Short:   "List an account's open holds, newest first",
		Example: "  ballast hold list alice",
		Args:    args("ACCOUNT"),
	}
	cmd.RunE = a.connected(func(ctx context.Context, c *client.Client, args []string) error {
		list := &holdList{Account: args[0], Holds: []*holdView{}}
		for h, err := range c.ListHolds(ctx, args[0], read.options()...) {
			if err != nil {
				return accountError(err, args[0])
			}
			list.Holds = append(list.Holds, viewHold(h))
		}
		if read.stale {
			list.Read = read.view()
		}
		if err := a.write(holdGrid(list.Holds), list); err != nil {
			return err
		}
		read.tell(a)
		return nil
	})
	read.addFlags(cmd.Flags())
	return cmd
}
