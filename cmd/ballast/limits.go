package main

import (
	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
)

// limitFlags are an account's bounds as decimals.
type limitFlags struct {
	floor, ceiling string
	noCeiling      bool
}

func (f *limitFlags) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.floor, "floor", "", "lowest `balance` that a debit may leave, 0 or below, such as -100.00")
	cmd.Flags().StringVar(&f.ceiling, "ceiling", "", "highest `balance` that a credit may leave")
}

// limits are the bounds that were given.
func (f *limitFlags) limits(d denomination) (client.Limits, error) {
	limits := client.Limits{NoCeiling: f.noCeiling}
	if f.floor != "" {
		units, err := d.parse("--floor", f.floor)
		if err != nil {
			return limits, err
		}
		if units > 0 {
			return limits, usagef("--floor %s: it must be 0 or below; -100 lets the balance fall to 100 below zero", f.floor)
		}
		limits.Floor = &units
	}
	if f.ceiling != "" {
		units, err := d.parse("--ceiling", f.ceiling)
		if err != nil {
			return limits, err
		}
		if units < 0 {
			return limits, usagef("--ceiling %s: it must be 0 or above", f.ceiling)
		}
		limits.Ceiling = &units
	}
	return limits, nil
}
