package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/forming"
)

func newMembersAddCommand(a *app) *cobra.Command {
	var stay bool
	cmd := &cobra.Command{
		Use:   "add HOST:PORT [--non-voter]",
		Short: "Add a running member to the cluster",
		Long: "Add the running member at an operator address: first as a non-voter; once it has kept up with the leader\n" +
			"for 5 s the leader promotes it by itself, also when this command does not wait for it any more. With\n" +
			"--non-voter it stays one until ballast members promote. Repeating it is harmless.",
		Example: "  ballast members add 10.0.0.4:7421",
		Args:    args("HOST:PORT"),
	}
	cmd.RunE = a.patient(func(ctx context.Context, c *client.Client, args []string) error {
		name, err := forming.Add(ctx, c.Operator(), args[0], stay, a.say())
		if err != nil {
			return err
		}
		if stay {
			return a.showMembership(name, "non-voter")
		}
		return a.showMembership(name, "voter")
	})
	cmd.Flags().BoolVar(&stay, "non-voter", false, "it receives everything and does not vote, until ballast members promote")
	return cmd
}
