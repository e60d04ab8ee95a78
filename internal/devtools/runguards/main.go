// Command runguards shows that each guard of docs/testing.md is tested: it builds the guard's package with the tag
// "unguarded", runs the guard's test once as it is and expects it to pass, then with BALLAST_UNGUARD naming the guard
// and expects it to fail. It exits 1 if any guard's test does not do both.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("runguards", flag.ContinueOnError)
	flags.SetOutput(stderr)
	table := flags.String("table", "docs/testing.md", "file with the rows `| name | package | TestName |`")
	timeout := flags.Duration("timeout", 2*time.Minute, "for one run of one test; a guard's test may fail by hanging")
	only := flags.String("guard", "", "only this guard")
	verbose := flags.Bool("v", false, "print what the unguarded tests say")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	text, err := os.ReadFile(*table)
	if err != nil {
		fmt.Fprintln(stderr, "runguards:", err)
		return 2
	}
	rows := parseTable(string(text))
	if len(rows) == 0 {
		fmt.Fprintf(stderr, "runguards: %s has no row `| name | package | TestName |`\n", *table)
		return 2
	}
	dir, err := os.MkdirTemp("", "ballast-guards-")
	if err != nil {
		fmt.Fprintln(stderr, "runguards:", err)
		return 2
	}
	defer os.RemoveAll(dir)

	runner := &runner{dir: dir, timeout: *timeout, binaries: map[string]binary{}}
	printed := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(printed, "GUARD\tPACKAGE\tTEST\tGUARDED\tUNGUARDED\tVERDICT")
	bad, checked := 0, 0
	for _, row := range rows {
		if *only != "" && row.Guard != *only {
			continue
		}
		v := runner.check(ctx, row)
		checked++
		if !v.good() {
			bad++
			fmt.Fprintf(stderr, "runguards: %s, %s: %s\n%s\n", row.Guard, row.Test, v.words(), v.output)
		} else if *verbose {
			fmt.Fprintf(stderr, "runguards: %s unguarded:\n%s\n", row.Guard, v.output)
		}
		fmt.Fprintf(printed, "%s\t%s\t%s\t%s\t%s\t%s\n", row.Guard, row.Package, row.Test, v.guarded, v.unguarded, v.words())
	}
	printed.Flush()
	fmt.Fprintf(stdout, "\n%d guards, %d not shown to be tested\n", checked, bad)
	if bad > 0 || checked == 0 {
		return 1
	}
	return 0
}

// runner runs guards' tests from binaries that it builds once for each package.
type runner struct {
	dir      string
	timeout  time.Duration
	binaries map[string]binary
}

type binary struct {
	path string
	err  error
}

// check runs one row's test both ways.
func (r *runner) check(ctx context.Context, row row) verdict {
	built, ok := r.binaries[row.Package]
	if !ok {
		built.path, built.err = r.build(ctx, row.Package)
		r.binaries[row.Package] = built
	}
	if built.err != nil {
		return verdict{guarded: notRun, unguarded: notRun, output: built.err.Error()}
	}
	v := verdict{unguarded: notRun}
	if v.guarded, v.output = r.test(ctx, built.path, row, ""); v.guarded != passed {
		return v
	}
	v.unguarded, v.output = r.test(ctx, built.path, row, row.Guard)
	return v
}

func (r *runner) build(ctx context.Context, pkg string) (string, error) {
	path := filepath.Join(r.dir, strings.ReplaceAll(pkg, "/", "_")+".test")
	out, err := exec.CommandContext(ctx, "go", "test", "-tags", "unguarded", "-c", "-o", path, "./"+pkg).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go test -c ./%s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// test runs the row's test with one guard off; with none off where the name is empty.
func (r *runner) test(ctx context.Context, path string, row row, off string) (outcome, string) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout+10*time.Second) // the test's own timeout prints its goroutines
	defer cancel()
	command := exec.CommandContext(ctx, path, "-test.v", "-test.count=1", "-test.timeout", r.timeout.String(),
		"-test.run", "^"+row.Test+"$")
	command.Dir = row.Package // as go test does
	command.Env = append(os.Environ(), "BALLAST_UNGUARD="+off)
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	switch started := strings.Contains(string(out), "=== RUN   "+row.Test); {
	case err != nil && !errors.As(err, &exit), !started:
		return notRun, string(out)
	case err != nil:
		return failed, string(out)
	case !strings.Contains(string(out), "--- PASS: "+row.Test):
		return notRun, string(out) // skipped
	}
	return passed, string(out)
}
