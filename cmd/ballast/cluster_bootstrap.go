package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/forming"
)

func newClusterBootstrapCommand(a *app) *cobra.Command {
	var node string
	cmd := &cobra.Command{
		Use:   "bootstrap --node HOST:PORT",
		Short: "Make a member the first of a new cluster",
		Long: "Make a running member the first of a new cluster. Done once in a cluster's life, on one member;\n" +
			"the others join. A member that has any state refuses.",
		Example: "  ballast cluster bootstrap --node 127.0.0.1:7421",
		Args:    args(),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, _ []string) error {
		if node == "" {
			return usagef("--node is missing: the operator address of the member, such as 127.0.0.1:7421")
		}
		member, err := forming.Await(ctx, c.Operator(), node)
		if err != nil {
			return err
		}
		if err := forming.Bootstrap(ctx, c.Operator(), node); err != nil {
			return operatorError(err)
		}
		view := membershipView{Name: member.GetName(), Role: "leader"}
		return a.write(view.grid(), view)
	})
	cmd.Flags().StringVar(&node, "node", "", "the member's operator `address`")
	return cmd
}
