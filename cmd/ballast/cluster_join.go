package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/forming"
)

// joinTimeout is the default for a join, which copies the state.
const joinTimeout = time.Minute

func newClusterJoinCommand(a *app) *cobra.Command {
	var node string
	var nonVoter bool
	cmd := &cobra.Command{
		Use:   "join --node HOST:PORT",
		Short: "Add a running member to the cluster",
		Long: "Add a running member, whose data directory was made for this cluster, to the cluster that\n" +
			"--endpoints names: first as a non-voter, and once it is caught up as a voter. Repeating it is harmless.\n" +
			"--timeout bounds the whole, 1m0s by default.",
		Example: "  ballast cluster join --node 127.0.0.1:7422",
		Args:    args(),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("timeout") {
			a.timeout = joinTimeout
		}
		return a.bounded(func(ctx context.Context, c *client.Client, _ []string) error {
			if node == "" {
				return usagef("--node is missing: the operator address of the member that joins, such as 127.0.0.1:7422")
			}
			member, err := forming.Await(ctx, c.Operator(), node)
			if err != nil {
				return err
			}
			if err := forming.Join(ctx, c.Operator(), node, !nonVoter); err != nil {
				return operatorError(err)
			}
			view := membershipView{Name: member.GetName(), Role: "voter"}
			if nonVoter {
				view.Role = "non-voter"
			}
			return a.write(view.grid(), view)
		})(cmd, args)
	}
	cmd.Flags().StringVar(&node, "node", "", "the joining member's operator `address`")
	cmd.Flags().BoolVar(&nonVoter, "non-voter", false, "leave it a non-voter: it receives everything and does not vote")
	return cmd
}
