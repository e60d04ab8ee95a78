// Command benchcheck compares the speed of the working tree with that of a base commit, and fails where it got worse.
//
// Absolute times say nothing on a machine that is shared or drifts, so none is compared. The benchmarks of both trees are
// built, and run in rounds of three turns: base, working tree, base again, beginning with another one each round. What
// goes to benchstat are ratios within a round: the second base's time to the first's for the base, the working tree's to
// the first base's for the working tree. The base's own spread is what a difference must stand out from. Bytes and
// allocations an operation are compared as they are: they do not depend on the machine's mood.
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
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options of a check.
type options struct {
	base      string
	packages  []string
	bench     string
	benchtime string
	rounds    int
	threshold float64 // per cent
	benchstat []string
}

// defaultPackages are those whose benchmarks need no disk: its pace is not ours.
const defaultPackages = "./fsm/ledger,./fsm/page,./fsm/proposal,./server,./client,./transport"

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("benchcheck", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var o options
	flags.StringVar(&o.base, "base", "", "commit to compare with")
	packages := flags.String("packages", defaultPackages, "whose benchmarks are run, with commas between")
	flags.StringVar(&o.bench, "bench", ".", "benchmarks that match, as in go test -bench")
	flags.StringVar(&o.benchtime, "benchtime", "100ms", "of one turn, as in go test -benchtime")
	flags.IntVar(&o.rounds, "rounds", 8, "rounds; benchstat needs about 6 to be sure of anything")
	flags.Float64Var(&o.threshold, "threshold", 5, "per cent that a figure may get worse where benchstat is sure of it")
	benchstat := flags.String("benchstat", "go tool -modfile=tools/go.mod benchstat", "command that runs benchstat")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	o.packages, o.benchstat = strings.Split(*packages, ","), strings.Fields(*benchstat)
	if o.base == "" || o.rounds < 4 || len(o.benchstat) == 0 {
		fmt.Fprintln(stderr, "benchcheck: -base: expected a commit; -rounds: expected at least 4; -benchstat: expected a command")
		return 2
	}
	worse, err := check(ctx, o, stdout, stderr)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "benchcheck:", err)
		return 2
	case len(worse) > 0:
		fmt.Fprintf(stdout, "\nworse than %s by more than %g %%:\n  %s\n", o.base, o.threshold, strings.Join(worse, "\n  "))
		return 1
	}
	fmt.Fprintf(stdout, "\nnothing is worse than %s by more than %g %%\n", o.base, o.threshold)
	return 0
}

// check measures and returns what got worse.
func check(ctx context.Context, o options, stdout, stderr io.Writer) (worse []string, err error) {
	dir, err := os.MkdirTemp("", "ballast-benchcheck-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	tree := filepath.Join(dir, "base")
	if err := command(ctx, ".", "git", "worktree", "add", "--quiet", "--detach", tree, o.base); err != nil {
		return nil, err
	}
	defer func() {
		// Also after an interrupt, so not with ctx.
		err = errors.Join(err, command(context.WithoutCancel(ctx), ".", "git", "worktree", "remove", "--force", tree))
	}()
	var pairs []pair
	for i, pkg := range o.packages {
		p := pair{pkg: pkg, base: filepath.Join(dir, fmt.Sprintf("base-%d.test", i)), work: filepath.Join(dir, fmt.Sprintf("work-%d.test", i)), tree: tree}
		if _, err := os.Stat(filepath.Join(tree, pkg)); err != nil {
			fmt.Fprintf(stderr, "%s is not in %s: nothing to compare with\n", pkg, o.base)
			continue
		}
		if err := errors.Join(command(ctx, tree, "go", "test", "-c", "-o", p.base, pkg), command(ctx, ".", "go", "test", "-c", "-o", p.work, pkg)); err != nil {
			return nil, err
		}
		pairs = append(pairs, p)
	}
	began := time.Now()
	s := newSamples()
	for round := range o.rounds {
		for _, p := range pairs {
			if err := p.round(ctx, o, round, s); err != nil {
				return nil, err
			}
		}
		fmt.Fprintf(stderr, "round %d of %d after %v\n", round+1, o.rounds, time.Since(began).Round(time.Second))
	}
	return compareSamples(ctx, o, dir, s, stdout)
}

// command runs a command to its end.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, output)
	}
	return nil
}
