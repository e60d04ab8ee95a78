package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/forming"
)

const forceHelp = "remove it also where too few voters that answer would remain; only where those that are silent are lost for good"

func newMembersRemoveCommand(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "remove MEMBER [--force]",
		Short: "Remove a member for ever",
		Long: "Remove a member for ever: it comes back only as a new one, with a new data directory. Where it leads,\n" +
			"leadership is handed over first. Refused where those of the voters that would remain and answer are no\n" +
			"majority of them, as the cluster would stop: bring one back, or remove it with --force.",
		Example: "  ballast members remove node-2",
		Args:    args("MEMBER"),
	}
	cmd.RunE = a.patient(func(ctx context.Context, c *client.Client, args []string) error {
		if err := forming.Remove(ctx, c.Operator(), args[0], force, a.say()); err != nil {
			return err
		}
		return a.showMembership(args[0], "removed")
	})
	cmd.Flags().BoolVar(&force, "force", false, forceHelp)
	return cmd
}
