package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

func newAccountListCommand(a *app) *cobra.Command {
	var read reading
	var filter client.Filter
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List all accounts, in order of id",
		Example: "  ballast account list --ledger usd\n  ballast account list --prefix team- -o csv",
		Args:    args(),
	}
	cmd.RunE = a.connected(func(ctx context.Context, c *client.Client, _ []string) error {
		list := &accountList{Accounts: []*accountView{}}
		for account, err := range c.ListAccounts(ctx, filter, read.options()...) {
			if err != nil {
				return err
			}
			list.Accounts = append(list.Accounts, viewAccount(account))
		}
		if filter.Ledger != "" && len(list.Accounts) == 0 {
			// An empty list and a ledger that does not exist look the same.
			if _, err := ofLedger(ctx, c, filter.Ledger, read.choice()...); err != nil {
				return err
			}
		}
		if read.stale {
			list.Read = read.view()
		}
		if err := a.write(accountGrid(list.Accounts), list); err != nil {
			return err
		}
		read.tell(a)
		return nil
	})
	flags := cmd.Flags()
	flags.StringVar(&filter.Prefix, "prefix", "", "only ids that begin with this `text`")
	flags.StringVar(&filter.Ledger, "ledger", "", "only accounts of this `ledger`")
	flags.BoolVar(&filter.System, "system", false, "also the ledgers' own accounts, where credits come from and debits go")
	read.addFlags(flags)
	return cmd
}
