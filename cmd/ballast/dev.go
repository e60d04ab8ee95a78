package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newDevCommand(*app) *cobra.Command {
	return &cobra.Command{Use: "dev", Short: "Run a cluster on this machine", RunE: func(*cobra.Command, []string) error { return errors.New("not there yet") }}
}
