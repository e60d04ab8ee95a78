package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// ofTopUp finds a top-up, and what its amount is counted in.
func ofTopUp(ctx context.Context, c *client.Client, id string) (*ballastv1.TopUpRecord, denomination, error) {
	t, err := c.GetTopUp(ctx, id)
	if err != nil {
		return nil, denomination{}, topUpError(err, id)
	}
	return t, denomination{ledger: t.GetLedger(), scale: t.GetScale()}, nil
}

// topUpError says in words that a top-up is not remembered.
func topUpError(err error, id string) error {
	if errors.Is(err, client.ErrUnknownTopUp) {
		return fmt.Errorf("no top-up %q is remembered: one that ended long ago is found in the account's statement", id)
	}
	return err
}
