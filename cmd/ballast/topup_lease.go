package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

const topUpLeaseHelp = `Lease top-ups that are due, those that have been due longest first. Charge each with its id as the
processor's idempotency key before the lease ends, unless it says lookup only: then only look up what
became of it. Settle it with ballast topup settle.`

func newTopUpLeaseCommand(a *app) *cobra.Command {
	var limit uint32
	var lease time.Duration
	var worker string
	cmd := &cobra.Command{
		Use:     "lease",
		Short:   "Lease top-ups that are due, to charge for them",
		Long:    topUpLeaseHelp,
		Example: "  ballast topup lease --limit 10 --for 1m -o json",
		Args:    args(),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, _ []string) error {
		if limit < 1 || limit > 100 {
			return usagef("--limit %d: it must be 1 to 100", limit)
		}
		if lease < time.Second || lease > time.Hour {
			return usagef("--for %s: it must be 1s to 1h", lease)
		}
		leased, err := c.LeaseTopUps(ctx, worker, limit, lease)
		if err != nil {
			return err
		}
		list := &topUpList{TopUps: []*topUpView{}}
		for _, t := range leased {
			list.TopUps = append(list.TopUps, viewTopUp(t))
		}
		return a.write(topUpGrid(list.TopUps), list)
	})
	cmd.Flags().Uint32Var(&limit, "limit", 1, "at most so many, 1 to 100")
	cmd.Flags().DurationVar(&lease, "for", time.Minute, "how long until they may be leased again, 1s to 1h")
	cmd.Flags().StringVar(&worker, "worker", "", "who leases, a `name` for people")
	return cmd
}
