package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// lifetime is the flag that says how long a hold lives.
func lifetime(flags *pflag.FlagSet, target *time.Duration) {
	flags.DurationVar(target, "for", 15*time.Minute, "how long until it expires by itself, at most 9600h")
}

func checkLifetime(d time.Duration) error {
	if d <= 0 {
		return usagef("--for %s: it must be positive, such as 15m", d)
	}
	return nil
}

// ofHold finds a hold, and what its amounts are counted in.
func ofHold(ctx context.Context, c *client.Client, id string) (*ballastv1.HoldRecord, denomination, error) {
	h, err := c.GetHold(ctx, id)
	if err != nil {
		return nil, denomination{}, holdError(err, id)
	}
	return h, denomination{ledger: h.GetLedger(), scale: h.GetScale()}, nil
}

// holdError says in words that a hold is not remembered.
func holdError(err error, id string) error {
	if errors.Is(err, client.ErrUnknownHold) {
		return fmt.Errorf("no hold %q is remembered: one that ended long ago is found in the account's statement", id)
	}
	return err
}
