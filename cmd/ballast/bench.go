package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/workload"
)

const benchHelp = `Measure a cluster's throughput and latency through the client library: a lone caller, 64 callers with
one operation each, and a bulk stream. It writes to accounts of its own in a ledger named bench, which
stay. make bench measures a cluster of its own, beside the floor that the raft library alone sets.`

func newBenchCommand(a *app) *cobra.Command {
	var warmup, duration time.Duration
	var accounts int
	cmd := &cobra.Command{
		Use:     "bench",
		Short:   "Measure the cluster's throughput and latency",
		Long:    benchHelp,
		Example: "  ballast bench\n  ballast bench --duration 30s -o json",
		Args:    args(),
	}
	cmd.RunE = a.connected(func(ctx context.Context, c *client.Client, _ []string) error {
		configs := workload.Standard(warmup, duration)
		for i := range configs {
			if accounts > 0 {
				configs[i].Accounts = accounts
			}
			if err := configs[i].Validate(); err != nil {
				return usagef("%v", err)
			}
		}
		return a.bench(ctx, c, configs)
	})
	cmd.Flags().DurationVar(&warmup, "warmup", time.Second, "how long each workload runs before it is measured")
	cmd.Flags().DurationVar(&duration, "duration", 5*time.Second, "how long each workload is measured")
	cmd.Flags().IntVar(&accounts, "accounts", 0, "number of `accounts` that the load is spread over (default: each workload's own)")
	return cmd
}

func (a *app) bench(ctx context.Context, c *client.Client, configs []workload.Config) error {
	most := 0
	for _, config := range configs {
		most = max(most, config.Accounts)
	}
	if err := workload.Prepare(ctx, c, most); err != nil {
		return err
	}
	var rows []workload.Row
	var labels []string
	var results []workload.Result
	for _, config := range configs {
		a.note("%s: %s, then %s measured", config.Name, config.Warmup, config.Duration)
		result, err := workload.Run(ctx, config, workload.NewClientTarget(c))
		if err != nil {
			return err
		}
		if result.Calls == 0 && result.LastFailure != nil {
			return fmt.Errorf("%s: no call was answered: %w", config.Name, result.LastFailure)
		}
		labels, results, rows = append(labels, "ballast"), append(results, result), append(rows, result.Rows("")...)
	}
	switch a.format {
	case render.JSON:
		return workload.WriteJSON(a.out, rows)
	case render.Table:
		return workload.WriteTable(a.out, labels, results)
	}
	grid := &render.Grid{Columns: []render.Column{{Name: "name"}, {Name: "value"}, {Name: "unit"}}}
	for _, row := range rows {
		grid.Add(row.Name, fmt.Sprint(row.Value), row.Unit)
	}
	return a.write(grid, nil)
}
