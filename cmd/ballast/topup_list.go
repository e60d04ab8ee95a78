package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newTopUpListCommand(a *app) *cobra.Command {
	var read reading
	var ended bool
	var account string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List open top-ups",
		Example: "  ballast topup list\n  ballast topup list --account alice --ended",
		Args:    args(),
	}
	cmd.RunE = a.connected(func(ctx context.Context, c *client.Client, _ []string) error {
		list := &topUpList{TopUps: []*topUpView{}}
		for t, err := range c.ListTopUps(ctx, ended, read.options()...) {
			if err != nil {
				return err
			}
			if account == "" || t.GetAccount() == account {
				list.TopUps = append(list.TopUps, viewTopUp(t))
			}
		}
		if read.stale {
			list.Read = read.view()
		}
		if err := a.write(topUpGrid(list.TopUps), list); err != nil {
			return err
		}
		read.tell(a)
		return nil
	})
	cmd.Flags().BoolVar(&ended, "ended", false, "also those that have ended and are remembered")
	cmd.Flags().StringVar(&account, "account", "", "only those of an `account`")
	read.addFlags(cmd.Flags())
	return cmd
}
