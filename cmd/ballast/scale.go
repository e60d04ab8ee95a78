package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/client/amount"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// denomination is what amounts of a ledger are counted in.
type denomination struct {
	ledger string
	scale  uint32
}

func (d denomination) format(units int64) string { return amount.Format(units, d.scale) }

// parse reads an amount that a person gave for what (a flag or argument).
func (d denomination) parse(what, text string) (int64, error) {
	units, err := amount.Parse(text, d.scale)
	switch {
	case errors.Is(err, amount.ErrTooManyDecimals):
		return 0, usagef("%s %s has too many decimals: ledger %q counts in steps of %s and nothing is rounded",
			what, text, d.ledger, d.format(1))
	case errors.Is(err, amount.ErrSyntax):
		return 0, usagef("%s %q is not a plain decimal: write digits and a point, such as %s", what, text, d.format(1_250_075))
	case err != nil:
		return 0, usagef("%s: %v", what, err)
	}
	return units, nil
}

func (d denomination) parsePositive(what, text string) (int64, error) {
	units, err := d.parse(what, text)
	if err == nil && units <= 0 {
		return 0, usagef("%s %s must be positive: debit lowers a balance, credit raises it", what, text)
	}
	return units, err
}

// ofAccount finds an account's ledger and scale. They never change, so any member's answer will do; only that an account
// does not exist takes a majority to say.
func ofAccount(ctx context.Context, c *client.Client, id string) (denomination, error) {
	account, err := c.Account(ctx, id, client.Stale())
	if err != nil {
		account, err = c.Account(ctx, id)
	}
	if err != nil {
		return denomination{}, accountError(err, id)
	}
	return of(account), nil
}

func of(account *ballastv1.Account) denomination {
	return denomination{ledger: account.GetLedger(), scale: account.GetScale()}
}

// accountError says in words that an account does not exist.
func accountError(err error, id string) error {
	if errors.Is(err, client.ErrUnknownAccount) {
		return fmt.Errorf("there is no account %q", id)
	}
	return err
}

// ofLedger finds a ledger's scale.
func ofLedger(ctx context.Context, c *client.Client, name string, options ...client.ReadOption) (denomination, error) {
	ledgers, err := c.Ledgers(ctx, options...)
	if err != nil {
		return denomination{}, err
	}
	for _, l := range ledgers {
		if l.GetName() == name {
			return denomination{ledger: name, scale: l.GetScale()}, nil
		}
	}
	return denomination{}, fmt.Errorf("there is no ledger %q; make it with: ballast ledger create %s --asset ASSET --scale N", name, name)
}
