package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/version"
)

func versionCommand(io stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the program's version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(io.out, "ballastd", version.String())
			return failed(err)
		},
	}
}
