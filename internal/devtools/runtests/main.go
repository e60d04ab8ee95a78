// Command runtests runs the tests of the module and says what came of them, for people first: failures with their
// output, skips with their reason, one line for each package, and a last line `N passed, N failed, N skipped`.
//
// Packages with concurrency of their own run under the race detector, but for their tests named ..Faults and ..AgainstModel,
// which cross thousands of cases in one goroutine; those run without. Where there is no C compiler for it all run
// without, and each such package counts as one skip with that reason. Tests marked lab (build tag "lab") are not built.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("runtests", flag.ContinueOnError)
	flags.SetOutput(stderr)
	timeout := flags.Duration("timeout", 9*time.Minute, "for all tests of one package")
	verbose := flags.Bool("v", false, "print the output of passing tests too")
	match := flags.String("run", "", "only tests that match, as in go test -run")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	patterns := flags.Args()
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	packages, err := list(ctx, patterns)
	if err != nil {
		fmt.Fprintln(stderr, "runtests:", err)
		return 2
	}

	report := newReport(stdout, *verbose)
	common := []string{"test", "-json", "-timeout", timeout.String()}
	if *match != "" {
		common = append(common, "-run", *match)
	}
	racing, plain := split(packages)
	missing := missingForRace(ctx)
	switch {
	case missing == "" && *match != "":
		goTest(ctx, report, slices.Concat(common, []string{"-race"}), racing, stderr)
	case missing == "":
		goTest(ctx, report, slices.Concat(common, []string{"-race", "-skip", tables}), racing, stderr)
		goTest(ctx, report, slices.Concat(common, []string{"-run", tables}), withTables(racing), stderr)
	default:
		for _, p := range racing {
			report.skipped(p.ImportPath, "race detector", missing)
		}
		plain = append(plain, racing...)
	}
	goTest(ctx, report, common, plain, stderr)
	return report.finish()
}

// goTest runs `go test` on the packages and feeds what it says to the report.
func goTest(ctx context.Context, report *report, args []string, packages []goPackage, stderr io.Writer) {
	if len(packages) == 0 || ctx.Err() != nil {
		return
	}
	for _, p := range packages {
		args = append(args, p.ImportPath)
	}
	command := exec.CommandContext(ctx, "go", args...)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.Stderr = stderr
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		report.failedToRun(err)
		return
	}
	readErr := report.read(out)
	if waitErr := command.Wait(); readErr != nil {
		report.failedToRun(readErr)
	} else if waitErr != nil && !report.anyFailed() {
		report.failedToRun(fmt.Errorf("go test: %w, and no test said why", waitErr))
	}
}
