package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/forming"
)

func newMembersReplaceCommand(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "replace OLD HOST:PORT [--force]",
		Short: "Put a new member in the place of another",
		Long: "Put the running member at an operator address in the place of OLD: it is added, catches up, votes, and then\n" +
			"OLD is removed. One that has OLD's name or one of its addresses can only come after it, so there OLD is\n" +
			"removed first. Interrupted, it goes on where it was when it is repeated. The address of a member that is\n" +
			"there for good is refused while OLD is: a wrong address must not cost a member.",
		Example: "  ballast members replace node-2 10.0.0.4:7421",
		Args:    args("OLD", "HOST:PORT"),
	}
	cmd.RunE = a.patient(func(ctx context.Context, c *client.Client, args []string) error {
		name, err := forming.Replace(ctx, c.Operator(), args[0], args[1], force, a.say())
		if err != nil {
			return err
		}
		return a.showMembership(name, "in the place of "+args[0])
	})
	cmd.Flags().BoolVar(&force, "force", false, forceHelp)
	return cmd
}
