package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/forming"
)

func newMembersPromoteCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "promote MEMBER",
		Short:   "Make a non-voter a voter",
		Long:    "Make a non-voter a voter, as soon as it is caught up and has kept up for 5 s: waits until then.",
		Example: "  ballast members promote node-4",
		Args:    args("MEMBER"),
	}
	cmd.RunE = a.patient(func(ctx context.Context, c *client.Client, args []string) error {
		if err := forming.Promote(ctx, c.Operator(), args[0], a.say()); err != nil {
			return err
		}
		return a.showMembership(args[0], "voter")
	})
	return cmd
}
