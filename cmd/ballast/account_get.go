package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

// accountWithRead is one account in JSON; a stale read says how old it is.
type accountWithRead struct {
	*accountView
	Read *readView `json:"read,omitempty"`
}

func newAccountGetCommand(a *app) *cobra.Command {
	var read reading
	cmd := &cobra.Command{
		Use:   "get ACCOUNT...",
		Short: "Show accounts",
		Long: "Show accounts. The answer includes every change acknowledged before the question; --stale takes\n" +
			"what any one member has and says how old it is. An account that does not exist is an error, not zero.",
		Example: "  ballast account get alice\n  ballast account get alice bob --stale -o json",
		Args:    args("ACCOUNT..."),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, ids []string) error {
		answer, err := c.Accounts(ctx, ids, read.options()...)
		if err != nil {
			return err
		}
		list := &accountList{Accounts: []*accountView{}}
		for _, account := range answer.GetAccounts() {
			list.Accounts = append(list.Accounts, viewAccount(account))
		}
		var value any = list
		if read.stale {
			list.Read = read.view()
		}
		if len(ids) == 1 && len(list.Accounts) == 1 {
			value = &accountWithRead{accountView: list.Accounts[0], Read: list.Read}
		}
		if len(list.Accounts) > 0 {
			if err := a.write(accountGrid(list.Accounts), value); err != nil {
				return err
			}
		}
		read.tell(a)
		if unknown := answer.GetUnknown(); len(unknown) > 0 {
			return fmt.Errorf("there is no account %s", quoteAll(unknown))
		}
		return nil
	})
	read.addFlags(cmd.Flags())
	return cmd
}

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(quoted, ", ")
}
