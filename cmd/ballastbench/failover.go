package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/devtools/failover"
	"github.com/ballastdb/ballast/internal/workload"
)

// failoverOptions are the flags of failover.
type failoverOptions struct {
	bench            benchOptions
	out              string
	kills, transfers int
	settings         map[string]string
	enforce          bool
}

// failoverCommand is the verb that measures what callers notice when leadership changes.
func failoverCommand(io stdio) *cobra.Command {
	var o failoverOptions
	cmd := &cobra.Command{
		Use:   "failover",
		Short: "Measure what callers notice when leadership changes",
		Long: "Kills the leader of a cluster of its own again and again, then hands leadership over again and again, while writes\n" +
			"begin every few milliseconds. Built from the module's tree, which must hold the working directory. Prints a\n" +
			"table, and leaves failover.json in the directory that --out names.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.kills < 0 || o.transfers < 0 || o.kills+o.transfers == 0 {
				return fmt.Errorf("--kills %d, --transfers %d: want none below 0, and one above", o.kills, o.transfers)
			}
			if err := measureFailover(cmd.Context(), o, io); err != nil {
				return &failedError{err}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.bench.dir, "dir", "", "a `directory` on the disk to measure (default: a temporary one under the working directory, removed afterwards)")
	f.BoolVar(&o.bench.keep, "keep", false, "leave the members' data and logs")
	f.StringVar(&o.out, "out", ".cache/failover", "`directory` for the rows")
	f.IntVar(&o.kills, "kills", 50, "how often the leader is killed")
	f.IntVar(&o.transfers, "transfers", 20, "how often leadership is handed over")
	f.StringToStringVar(&o.settings, "config", nil, "more `key=value` of the members' configuration")
	f.BoolVar(&o.enforce, "enforce", false, "fail where a bar is missed")
	return cmd
}

// measureFailover measures and writes what it came to, also where it failed half-way.
func measureFailover(ctx context.Context, o failoverOptions, stdio stdio) (err error) {
	dir, remove, err := benchDir(o.bench)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	report, err := failover.Run(ctx, failover.Options{
		Dir: dir, Kills: o.kills, Transfers: o.transfers, Config: o.settings, Tell: func(line string) { fmt.Fprintln(stdio.err, line) },
	})
	if report == nil {
		return err
	}
	rows, wrong := report.Rows()
	err = errors.Join(err, wrong, failover.WriteTable(stdio.out, rows), os.MkdirAll(o.out, 0o755))
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(o.out, "failover.json"), func(w io.Writer) error { return workload.WriteJSON(w, rows) }); err != nil {
		return err
	}
	for _, row := range rows {
		if o.enforce && row.Met != nil && !*row.Met {
			return fmt.Errorf("%s is %.1f %s, the bar is %.0f", row.Name, row.Value, row.Unit, *row.Bar)
		}
	}
	return nil
}
