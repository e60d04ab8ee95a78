package compare

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
)

// Front is the command line of the comparison, for programs with different peers.
type Front struct {
	// Peers that the program knows.
	Peers []System
	// Out gets the table, Err what goes on meanwhile.
	Out, Err io.Writer
}

// flags of the command.
type flags struct {
	options      Options
	dir, out     string
	program      string
	port         int
	keep, asJSON bool
	enforce      bool
}

// smallPort is how far from the cluster's ports those of the small one lie.
const smallPort = 100

// Command is `compare [CASE...]`. Its errors are those of the work where they are a *Failure, else of usage.
func (f Front) Command() *cobra.Command {
	var o flags
	var list strings.Builder
	for _, c := range Cases() {
		fmt.Fprintf(&list, "  %-12s %s\n", c.Name(), c.Summary)
	}
	cmd := &cobra.Command{
		Use:   "compare [CASE...]",
		Short: "Measure Ballast beside raft alone and its peers, in turns",
		Long: "Starts a cluster of ballastd processes, the floors and the peers that are installed, fills them, and lets them\n" +
			"take turns at each case, round after round. Without names all cases run but steady and ten-million.\n\n" + list.String() +
			"\nPrints a table; leaves rows.json, index.html and the latency distributions in the directory that --out names.",
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args, &o) },
	}
	fl := cmd.Flags()
	fl.StringVar(&o.dir, "dir", "", "an empty `directory` on the disk to measure (default: a temporary one under the working directory, removed afterwards)")
	fl.StringVar(&o.out, "out", ".cache/compare", "`directory` for what is left")
	fl.StringVar(&o.program, "ballastd", "", "`path` of ballastd (default: beside this program, then on PATH)")
	fl.StringVar(&o.options.LogStore, "log-store", DefaultLogStore(), "kind of raft log of the members and the floors, boltdb or wal")
	fl.IntVar(&o.port, "port", 7600, "the cluster's ports lie from here on, see ballast dev")
	fl.IntVar(&o.options.Accounts, "accounts", 0, "accounts in every case (default: each case's own)")
	fl.IntVar(&o.options.Rounds, "rounds", 0, "turns that each target has at each case (default: each case's own, mostly 2)")
	fl.DurationVar(&o.options.Warmup, "warmup", 0, "time before each measurement (default: each case's own, mostly 2s)")
	fl.DurationVar(&o.options.Duration, "duration", 0, "time of each measurement (default: each case's own, mostly 10s)")
	fl.StringSliceVar(&o.options.Without, "without", nil, "`systems` to leave out, such as etcd,postgres,raft+ledger")
	fl.StringVar(&o.options.Profiles, "profiles", "", "`directory` for CPU profiles of our leader and of the load generator, in each case's last round (default: none)")
	fl.BoolVar(&o.asJSON, "json", false, "print the rows as JSON in place of the table")
	fl.BoolVar(&o.enforce, "enforce", false, "fail where a bar is missed")
	fl.BoolVar(&o.keep, "keep", false, "leave the systems' data and logs")
	return cmd
}

// Failure is an error of the work, not of usage.
type Failure struct{ error }

// Unwrap is what failed.
func (e *Failure) Unwrap() error { return e.error }

func (f Front) run(cmd *cobra.Command, args []string, o *flags) error {
	cases, err := Find(args)
	if err != nil {
		return err
	}
	if o.options.Rounds < 0 || o.options.Accounts < 0 || o.options.Duration < 0 || o.options.Warmup < 0 {
		return errors.New("--rounds, --accounts, --duration, --warmup: expected at least 0")
	}
	for _, c := range cases {
		config := c.scale(o.options.Accounts, o.options.Warmup, o.options.Duration, o.options.Rounds).Workload
		if err := config.Validate(); err != nil {
			return err
		}
	}
	if err := f.compare(cmd, cases, o); err != nil {
		return &Failure{err}
	}
	return nil
}

// compare runs the cases and writes what came of them, also where some of it failed.
func (f Front) compare(cmd *cobra.Command, cases []Case, o *flags) (err error) {
	program, err := FindProgram(o.program)
	if err != nil {
		return err
	}
	remove, err := o.makeDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	began := time.Now()
	o.options.Tell = func(line string) {
		fmt.Fprintf(f.Err, "%6.1fs  %s\n", time.Since(began).Seconds(), line)
	}
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: f.Err})
	systems := append([]System{&Ballast{Program: program, Port: o.port}, &Ballast{Program: program, Port: o.port + smallPort, Small: true}}, Floors(logger)...)
	report, err := Run(cmd.Context(), cases, append(systems, f.Peers...), o.options)
	write := report.WriteText
	if o.asJSON {
		write = report.WriteRows
	}
	err = errors.Join(err, write(f.Out), report.Write(o.out))
	if missed := report.Missed(); err == nil && o.enforce && len(missed) > 0 {
		return fmt.Errorf("%d bars are missed, %s first", len(missed), missed[0].Name)
	}
	return err
}

// makeDir makes the directory for the systems' data. Some of them run as another user, who must be able to pass.
func (o *flags) makeDir() (remove func() error, err error) {
	keep := func() error { return nil }
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp(".", ".compare-"); err != nil {
			return nil, err
		}
		if !o.keep {
			made := o.dir
			keep = func() error { return os.RemoveAll(made) }
		}
	}
	if o.options.Dir, err = filepath.Abs(o.dir); err != nil {
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(o.options.Dir, 0o755), os.Chmod(o.options.Dir, 0o755)); err != nil {
		return nil, errors.Join(err, keep())
	}
	entries, err := os.ReadDir(o.options.Dir)
	if len(entries) > 0 {
		err = fmt.Errorf("--dir %s is not empty, expected an empty directory", o.dir)
	}
	return keep, err
}
