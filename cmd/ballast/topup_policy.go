package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ballastdb/ballast/client"
)

const topUpPolicyHelp = `Show an account's policy on topping it up, set it with --below and what else it needs, or take it
away with --off.

With a policy, a top-up is made in the same step in which less than --below is left: an agreed
intention to charge the customer, one open at a time. A worker (package client/topup, or ballast topup
lease) leases it, charges, and settles it.`

// policyFlags are what a policy is set with.
type policyFlags struct {
	below, charge, upTo, count, sum string
	policy                          client.TopUpPolicy
	off                             bool
}

func (f *policyFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.below, "below", "", "make a top-up when less than this `amount` is available")
	flags.StringVar(&f.charge, "charge", "", "charge this `amount` each time")
	flags.StringVar(&f.upTo, "up-to", "", "charge as much as brings what is available to this `amount`")
	flags.StringVar(&f.policy.Source, "source", "", "`account` to debit when one succeeds (default: the ledger's own)")
	flags.StringVar(&f.count, "count", "", "at most so many in any stretch of time, as `N/TIME`, such as 3/24h")
	flags.StringVar(&f.sum, "sum", "", "charge at most so much in any stretch of time, as `AMOUNT/TIME`, such as 200.00/720h")
	flags.DurationVar(&f.policy.BackOff, "back-off", time.Hour, "make none for so long after a decline")
	flags.DurationVar(&f.policy.KeyLifetime, "key-lifetime", 23*time.Hour, "how long the processor is sure to know a key again")
	flags.StringVar(&f.policy.Payment, "payment", "", "what the processor knows the card by, a `text`; not a card number")
	flags.BoolVar(&f.off, "off", false, "take the policy away")
}

// given: a policy is to be set.
func (f *policyFlags) given(flags *pflag.FlagSet) bool {
	for _, name := range []string{"below", "charge", "up-to", "source", "count", "sum", "back-off", "key-lifetime", "payment"} {
		if flags.Changed(name) {
			return true
		}
	}
	return false
}

// read reads the amounts.
func (f *policyFlags) read(d denomination) (client.TopUpPolicy, error) {
	p := f.policy
	if f.below == "" || (f.charge == "") == (f.upTo == "") {
		return p, usagef("a policy needs --below, and either --charge or --up-to")
	}
	for _, one := range []struct {
		flag, text string
		to         *int64
	}{{"--below", f.below, &p.Threshold}, {"--charge", f.charge, &p.Amount}, {"--up-to", f.upTo, &p.Target}} {
		if one.text == "" {
			continue
		}
		units, err := d.parsePositive(one.flag, one.text)
		if err != nil {
			return p, err
		}
		*one.to = units
	}
	if f.count != "" {
		number, window, err := perTime("--count", f.count)
		if err != nil {
			return p, err
		}
		if p.MaxCount, err = strconv.ParseInt(number, 10, 64); err != nil {
			return p, usagef("--count %q: write a number and a time, such as 3/24h", f.count)
		}
		p.CountWindow = window
	}
	if f.sum != "" {
		limit, window, err := perTime("--sum", f.sum)
		if err != nil {
			return p, err
		}
		if p.SumCap.Limit, err = d.parsePositive("--sum", limit); err != nil {
			return p, err
		}
		p.SumCap.Window = window
	}
	return p, nil
}

// perTime takes LIMIT/TIME apart.
func perTime(what, text string) (limit string, window time.Duration, err error) {
	limit, rest, _ := strings.Cut(text, "/")
	if window, err = time.ParseDuration(rest); err != nil {
		return "", 0, usagef("%s %q: write a limit and a time, such as 100/24h", what, text)
	}
	return limit, window, nil
}

func newTopUpPolicyCommand(a *app) *cobra.Command {
	var flags operationFlags
	var policy policyFlags
	var read reading
	cmd := &cobra.Command{
		Use:   "policy ACCOUNT",
		Short: "Show, set or take away an account's policy on topping it up",
		Long:  topUpPolicyHelp,
		Example: "  ballast topup policy alice --below 10.00 --charge 50.00 --count 3/24h --payment card-7\n" +
			"  ballast topup policy alice\n  ballast topup policy alice --off",
		Args: args("ACCOUNT"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		set := policy.given(cmd.Flags())
		switch {
		case set && policy.off:
			return usagef("--off goes with no other flag of the policy")
		case !set && !policy.off:
			return a.showPolicy(ctx, c, args[0], &read)
		}
		d, err := ofAccount(ctx, c, args[0])
		if err != nil {
			return err
		}
		op := client.NewRemoveTopUpPolicy(args[0])
		if set {
			p, err := policy.read(d)
			if err != nil {
				return err
			}
			op = client.NewSetTopUpPolicy(args[0], p)
		}
		if err := flags.apply(c, op); err != nil {
			return err
		}
		return a.submit(ctx, c, &flags, op, d)
	})
	policy.addFlags(cmd.Flags())
	flags.addFlags(cmd.Flags())
	read.addFlags(cmd.Flags())
	return cmd
}

func (a *app) showPolicy(ctx context.Context, c *client.Client, account string, read *reading) error {
	p, err := c.GetTopUpPolicy(ctx, account, read.options()...)
	if errors.Is(err, client.ErrNoTopUpPolicy) {
		return fmt.Errorf("there is no account %q, or it has no policy on top-ups", account)
	}
	if err != nil {
		return err
	}
	view := viewPolicy(p)
	if read.stale {
		view.Read = read.view()
	}
	if err := a.write(view.grid(), view); err != nil {
		return err
	}
	read.tell(a)
	return nil
}
