package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const topUpSettleHelp = `Say what became of the charge for a top-up, once: succeeded (the account is credited in the same
step), declined (nothing was charged: the next one is made after the back-off), or unknown (it stays
open, and is leased again under the same id).

Without --lease this is a person's word, for a top-up whose outcome no worker can tell: look it up at
the processor first. declined is refused then while a lease runs, whose worker may be charging.
--reference keeps the processor's own id of the charge.`

func newTopUpSettleCommand(a *app) *cobra.Command {
	var flags operationFlags
	var settlement client.Settlement
	cmd := &cobra.Command{
		Use:     "settle TOP-UP succeeded|declined|unknown",
		Short:   "Say what became of the charge for a top-up",
		Long:    topUpSettleHelp,
		Example: "  ballast topup settle 6f1d2c3b-4a59-8e70-9b1c-0d2e4f6a8c1b succeeded --reference ch_4711",
		Args:    args("TOP-UP", "OUTCOME"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		outcome, ok := map[string]ballastv1.TopUpOutcome{
			"succeeded": ballastv1.TopUpOutcome_TOP_UP_OUTCOME_SUCCEEDED,
			"declined":  ballastv1.TopUpOutcome_TOP_UP_OUTCOME_DECLINED,
			"unknown":   ballastv1.TopUpOutcome_TOP_UP_OUTCOME_UNKNOWN,
		}[args[1]]
		if !ok {
			return usagef("outcome %q: it must be succeeded, declined or unknown", args[1])
		}
		_, d, err := ofTopUp(ctx, c, args[0])
		if err != nil {
			return err
		}
		settlement.Outcome = outcome
		op := client.NewSettleTopUp(args[0], settlement)
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	cmd.Flags().Uint32Var(&settlement.Lease, "lease", 0, "`number` of the lease under which that came to be known")
	flags.addFlags(cmd.Flags())
	return cmd
}
