package kinds

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ballastdb/ballast/fsm/ledger"
)

// Bar is how many times a plain transfer a kind may cost at most.
const Bar = 3

// Accounts that Measure has usually; a multiple of 500.
const Accounts = 10_000

// batch is how many operations are applied at a time, as in a proposal.
const batch = 500

// Cost is what one kind costs.
type Cost struct {
	Kind string
	// Each is the CPU time of one operation: the median over all rounds.
	Each time.Duration
	// OfTransfer is that in plain transfers, measured in turns with it.
	OfTransfer float64
}

// Measure applies every kind, in turns with plain transfers, 500 operations at a time, rounds times.
func Measure(ctx context.Context, accounts, rounds int) ([]Cost, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var costs []Cost
	for _, c := range cases() {
		cost, err := measure(ctx, c, accounts, rounds)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.kind, err)
		}
		costs = append(costs, cost)
	}
	return costs, nil
}

func measure(ctx context.Context, c kindCase, accounts, rounds int) (Cost, error) {
	other, err := openBank(kindCase{}, accounts) // whose accounts nothing happens to but plain transfers
	if err != nil {
		return Cost{}, err
	}
	b, err := openBank(c, accounts)
	if err != nil {
		return Cost{}, err
	}
	var plain, each []time.Duration
	for round := range rounds {
		if err := ctx.Err(); err != nil {
			return Cost{}, err
		}
		transfers := other.transfers()
		took, err := timed(func() error { return other.apply(transfers) })
		if err != nil {
			return Cost{}, err
		}
		var before []ledger.Operation
		if c.before != nil {
			before = c.before(b)
		}
		if err := b.apply(before); err != nil {
			return Cost{}, err
		}
		ops := c.ops(b, before)
		cost, err := timed(func() error { return b.apply(ops) })
		if err != nil {
			return Cost{}, err
		}
		if round > 0 { // the first one grows what is used again
			plain, each = append(plain, took), append(each, cost)
		}
	}
	if err := b.state.CheckBooks(); err != nil {
		return Cost{}, err
	}
	p, e := median(plain), median(each)
	return Cost{Kind: c.kind, Each: e / batch, OfTransfer: float64(e) / float64(p)}, nil
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// timed is the CPU time that this thread spends in do: what else the machine is doing counts little.
func timed(do func() error) (time.Duration, error) {
	var from, to unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &from); err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &to); err != nil {
		return 0, err
	}
	return time.Duration(to.Nano() - from.Nano()), nil
}
