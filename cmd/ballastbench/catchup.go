package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/devtools/catchup"
)

// catchupOptions are the flags of catchup.
type catchupOptions struct {
	dir      string
	out      string
	accounts int
	smoke    bool
	enforce  bool
	logLevel string
	keep     bool
}

// catchupCommand is the verb that measures members which catch up.
func catchupCommand(io stdio) *cobra.Command {
	var o catchupOptions
	var names strings.Builder
	for _, c := range catchup.Cases() {
		fmt.Fprintf(&names, "  %-12s %s\n", c.Name, c.Summary)
	}
	cmd := &cobra.Command{
		Use:   "catchup CASE",
		Short: "Measure members that catch up",
		Long: "Runs one case on a cluster of its own, built from the module's tree, which must hold the working directory:\n\n" +
			names.String() + "\nPrints a table, and leaves CASE.json and plots in the directory that --out names.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.accounts < 0 || o.accounts > 10_000_000 {
				return fmt.Errorf("--accounts: %d, expected 0 to 10000000", o.accounts)
			}
			err := measureCatchup(cmd.Context(), args[0], o, io)
			if err == nil || errors.Is(err, catchup.ErrUnknownCase) {
				return err
			}
			return &failedError{err}
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", "", "a `directory` on the disk to measure (default: a temporary one under the working directory, removed afterwards)")
	f.StringVar(&o.out, "out", ".cache/catchup", "`directory` for the rows and plots")
	f.IntVar(&o.accounts, "accounts", 0, "accounts in the state (default: as many as the case says)")
	f.BoolVar(&o.smoke, "smoke", false, "shorten everything: shows that the harness works, and measures nothing")
	f.BoolVar(&o.enforce, "enforce", false, "fail where a bar is missed")
	f.StringVar(&o.logLevel, "log-level", "", "log `level` of the members (default: info)")
	f.BoolVar(&o.keep, "keep", false, "leave the members' data and logs")
	return cmd
}

// measureCatchup runs a case and writes what it came to. A case that failed half-way is written too.
func measureCatchup(ctx context.Context, name string, o catchupOptions, io stdio) (err error) {
	dir, remove, err := benchDir(benchOptions{dir: o.dir, keep: o.keep})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	report, err := catchup.Run(ctx, name, catchup.Options{
		Dir: dir, Accounts: o.accounts, Smoke: o.smoke, LogLevel: o.logLevel, Keep: o.keep,
		Tell: func(line string) { fmt.Fprintln(io.err, line) },
	})
	if report == nil {
		return err
	}
	if err := errors.Join(err, report.WriteText(io.out), writeReport(o.out, report)); err != nil {
		return err
	}
	if missed := report.Missed(); o.enforce && len(missed) > 0 {
		return fmt.Errorf("%d bars are missed, %s first", len(missed), missed[0].Name)
	}
	return nil
}

// writeReport leaves the rows, and a plot of every timeline, in the directory.
func writeReport(dir string, report *catchup.Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	err := writeFile(filepath.Join(dir, report.Case+".json"), report.WriteJSON)
	for i, t := range report.Timelines {
		name := fmt.Sprintf("%s-%d.svg", report.Case, i+1)
		err = errors.Join(err, writeFile(filepath.Join(dir, name), t.WriteSVG))
	}
	return err
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
