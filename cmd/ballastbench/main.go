// Ballastbench measures a Ballast cluster beside raft alone, on one machine, in one run.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/devtools/compare"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

type stdio struct{ out, err io.Writer }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], stdio{out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// run does what args ask for and returns the exit code.
func run(ctx context.Context, args []string, io stdio) int {
	var options benchOptions
	cmd := &cobra.Command{
		Use:   "ballastbench",
		Short: "Measure a Ballast cluster beside raft alone",
		Long: "Starts three ballastd processes and, in this process, three members of the raft library alone, and lets\n" +
			"them take turns at the same workloads. Everything is on loopback and below one directory.",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := options.check(); err != nil {
				return err
			}
			if err := bench(cmd.Context(), options, io); err != nil {
				return &failedError{err}
			}
			return nil
		},
	}
	options.flags(cmd)
	cmd.AddCommand(catchupCommand(io), compareCommand(io), failoverCommand(io), kindsCommand(io))
	cmd.SetArgs(args)
	cmd.SetOut(io.out)
	cmd.SetErr(io.err)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(io.err, "ballastbench: %v\n", err)
	var failed *failedError
	var compared *compare.Failure
	if errors.As(err, &failed) || errors.As(err, &compared) {
		return exitFailed
	}
	return exitUsage
}

// failedError tells an error of the work from one of usage.
type failedError struct{ error }

func (e *failedError) Unwrap() error { return e.error }

// benchOptions are the flags.
type benchOptions struct {
	dir, program     string
	logStore         string
	port             int
	rounds           int
	warmup, duration time.Duration
	json             bool
	keep             bool
}

func (o *benchOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", "", "an empty `directory` on the disk to measure (default: a temporary one under the working directory, removed afterwards)")
	f.StringVar(&o.program, "ballastd", "", "`path` of ballastd (default: beside this program, then on PATH)")
	f.StringVar(&o.logStore, "log-store", compare.DefaultLogStore(), "kind of everybody's raft log, boltdb or wal")
	f.IntVar(&o.port, "port", 7600, "the cluster's ports lie from here on, see ballast dev")
	f.IntVar(&o.rounds, "rounds", 3, "turns that each target has at each workload")
	f.DurationVar(&o.warmup, "warmup", time.Second, "time before each measurement")
	f.DurationVar(&o.duration, "duration", 5*time.Second, "time of each measurement")
	f.BoolVar(&o.json, "json", false, "print rows of JSON: name, value, unit, bar, met")
	f.BoolVar(&o.keep, "keep", false, "leave the temporary directory")
}

func (o *benchOptions) check() error {
	switch {
	case o.rounds < 1 || o.rounds > 1000:
		return fmt.Errorf("--rounds: %d, expected 1 to 1000", o.rounds)
	case o.warmup < 0:
		return fmt.Errorf("--warmup: %v, expected at least 0", o.warmup)
	case o.duration <= 0:
		return fmt.Errorf("--duration: %v, expected above 0", o.duration)
	}
	return nil
}
