package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/timetext"
)

// settingChange is a change of a setting in JSON.
type settingChange struct {
	Time   string `json:"time"`
	Index  uint64 `json:"index"`
	Name   string `json:"name"`
	Before string `json:"before"`
	After  string `json:"after"`
	By     string `json:"by"`
}

func newSettingsHistoryCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history [NAME]",
		Short: "Show who changed which setting, and when",
		Long: "Show the newest 256 changes of replicated settings, newest first, or those of one setting: by role and\n" +
			"name of the certificate, or \"development\" where there is no TLS.",
		Example: "  ballast settings history\n  ballast settings history id_window",
		Args:    args("[NAME]"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		changes, err := c.Operator().SettingsHistory(ctx)
		if err != nil {
			return operatorError(err)
		}
		g := &render.Grid{Columns: []render.Column{
			{Name: "time"}, {Name: "name"}, {Name: "before", Right: true}, {Name: "after", Right: true}, {Name: "by"}, {Name: "index", Right: true, Wide: true},
		}}
		list := []settingChange{}
		for _, change := range changes {
			if len(args) == 1 && args[0] != change.GetName() {
				continue
			}
			v := settingChange{timetext.Format(change.GetTime()), change.GetIndex(), change.GetName(), change.GetBefore(), change.GetAfter(), change.GetBy()}
			list = append(list, v)
			g.Add(v.Time, v.Name, v.Before, v.After, v.By, fmt.Sprint(v.Index))
		}
		return a.write(g, map[string]any{"changes": list})
	})
	return cmd
}
