package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
)

type ledgerView struct {
	Name  string `json:"name"`
	Asset string `json:"asset"`
	Scale uint32 `json:"scale"`
}

type ledgerList struct {
	Ledgers []ledgerView `json:"ledgers"`
	Read    *readView    `json:"read,omitempty"`
}

func newLedgerListCommand(a *app) *cobra.Command {
	var read reading
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List all ledgers, in order of creation",
		Example: "  ballast ledger list",
		Args:    args(),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, _ []string) error {
		ledgers, err := c.Ledgers(ctx, read.options()...)
		if err != nil {
			return err
		}
		grid := &render.Grid{Columns: []render.Column{{Name: "name"}, {Name: "asset"}, {Name: "scale", Right: true}}}
		list := ledgerList{Ledgers: []ledgerView{}}
		for _, l := range ledgers {
			grid.Add(l.GetName(), l.GetAsset(), strconv.Itoa(int(l.GetScale())))
			list.Ledgers = append(list.Ledgers, ledgerView{Name: l.GetName(), Asset: l.GetAsset(), Scale: l.GetScale()})
		}
		if read.stale {
			list.Read = read.view()
		}
		if err := a.write(grid, list); err != nil {
			return err
		}
		read.tell(a)
		return nil
	})
	read.addFlags(cmd.Flags())
	return cmd
}
