package main

import (
	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/devtools/kinds"
	"github.com/ballastdb/ballast/internal/workload"
)

// kindRounds is how often each kind is measured.
const kindRounds = 41

// kindsCommand is the verb that measures what applying each kind of operation costs.
func kindsCommand(io stdio) *cobra.Command {
	var json bool
	rounds := kindRounds
	cmd := &cobra.Command{
		Use:   "kinds",
		Short: "Measure what applying each kind of operation costs, on one core",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			costs, err := kinds.Measure(cmd.Context(), kinds.Accounts, max(2, rounds))
			switch {
			case err != nil:
			case json:
				err = workload.WriteJSON(io.out, kinds.Rows(costs))
			default:
				err = kinds.WriteTable(io.out, costs)
			}
			if err != nil {
				return &failedError{err}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&json, "json", false, "print rows of JSON: name, value, unit, bar, met")
	cmd.Flags().IntVar(&rounds, "rounds", kindRounds, "batches of each kind")
	return cmd
}
