// Ballastd is one member of a Ballast cluster.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/internal/manpages"
	"github.com/ballastdb/ballast/server/node"
)

// Exit codes; docs/configuration.md tells them to operators.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	// exitConfig is EX_CONFIG of sysexits.h: starting again does not help.
	exitConfig = 78
)

// stdio are the process's streams and environment, or a test's.
type stdio struct {
	out, err  io.Writer
	lookupEnv func(string) (string, bool)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], stdio{out: os.Stdout, err: os.Stderr, lookupEnv: os.LookupEnv})
	stop()
	os.Exit(code)
}

const rootHelp = `One member of a Ballast cluster. "ballast dev" makes a whole cluster for development.

Exit codes: 0 done, or stopped in order by SIGTERM or SIGINT; 1 failed, starting again is safe; 2 usage;
78 the configuration or the data directory is refused, or the program is older than its cluster: starting again does not help.`

// run does what args ask for and answers the exit code.
func run(ctx context.Context, args []string, io stdio) int {
	root := &cobra.Command{
		Use:   "ballastd",
		Short: "One member of a Ballast cluster",
		Long:  rootHelp,
		Example: "  ballastd init --data-dir /var/lib/ballast --cluster-id UUID --name node-1  # once\n" +
			"  ballastd run --config /etc/ballast/ballastd.toml",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetArgs(args)
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(initCommand(io), runCommand(io), configCommand(io), convertLogCommand(io), recoverCommand(io), snapshotCommand(io), restoreCommand(io), backupCommand(io), versionCommand(io), manpages.Command(failed))

	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(io.err, "ballastd: %v\n", err)
	return exitCode(err)
}

func exitCode(err error) int {
	var failed *failedError
	var refused *datadir.RefusedError
	var wrong *config.Error
	var outdated *node.OutdatedError
	switch {
	case errors.As(err, &refused), errors.As(err, &wrong), errors.As(err, &outdated):
		return exitConfig
	case errors.As(err, &failed):
		return exitFailed
	default: // Cobra's own: an unknown verb or flag, a missing flag.
		return exitUsage
	}
}

// failedError is the error of a verb that was used rightly and failed.
type failedError struct{ error }

func (e *failedError) Unwrap() error { return e.error }

func failed(err error) error {
	if err == nil {
		return nil
	}
	return &failedError{err}
}
