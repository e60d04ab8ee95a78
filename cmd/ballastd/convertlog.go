package main

import (
	"fmt"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/server/node"
)

func convertLogCommand(io stdio) *cobra.Command {
	var dir, kind string
	cmd := &cobra.Command{
		Use:   "convert-log --data-dir D --log-store boltdb|wal",
		Short: "Convert a stopped member's raft log to another kind",
		Long: "Convert the raft log of the member whose data directory is D, while it is stopped, to another kind. The disk holds\n" +
			"both for a while. Cut short, it is run again. Then start the member with log_store set to the same kind.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			logger := hclog.New(&hclog.LoggerOptions{Name: "ballastd", Level: hclog.Info, Output: io.err})
			if err := node.ConvertLog(dir, kind, logger); err != nil {
				return failed(err)
			}
			_, err := fmt.Fprintf(io.out, "the raft log in %s is of the kind %s; start the member with log_store = %q\n", dir, kind, kind)
			return failed(err)
		},
	}
	cmd.Flags().StringVar(&dir, "data-dir", "", "the member's data directory")
	cmd.Flags().StringVar(&kind, "log-store", "", "the kind to make of it: boltdb or wal")
	for _, flag := range []string{"data-dir", "log-store"} {
		if err := cmd.MarkFlagRequired(flag); err != nil {
			panic(err) // Only where the flag is not declared above.
		}
	}
	return cmd
}
