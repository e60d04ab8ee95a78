package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newBenchCommand(*app) *cobra.Command {
	return &cobra.Command{
		Use:     "bench",
		Short:   "Measure the cluster's throughput and latency",
		Example: "  ballast bench",
		Args:    args(),
		RunE:    func(*cobra.Command, []string) error { return errors.New("not there yet") },
	}
}
