// Command runfuzz finds every fuzzer of the module and runs each for a while.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("runfuzz", flag.ContinueOnError)
	flags.SetOutput(stderr)
	duration := flags.Duration("time", 20*time.Second, "for each fuzzer")
	match := flags.String("fuzz", "", "only fuzzers whose name matches this regular expression")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	pattern, err := regexp.Compile(*match)
	if err != nil {
		fmt.Fprintln(stderr, "runfuzz:", err)
		return 2
	}
	fuzzers, err := discover(ctx)
	if err != nil {
		fmt.Fprintln(stderr, "runfuzz:", err)
		return 2
	}
	passed, failed := 0, 0
	for _, f := range fuzzers {
		if !pattern.MatchString(f.name) || ctx.Err() != nil {
			continue
		}
		start := time.Now()
		output, err := fuzz(ctx, f, *duration)
		if err != nil {
			failed++
			fmt.Fprintf(stdout, "FAIL %s %s: %v\n%s\n", f.pkg, f.name, err, output)
			continue
		}
		passed++
		fmt.Fprintf(stdout, "ok   %s %s  %.0f s, %s\n", f.pkg, f.name, time.Since(start).Seconds(), executions(output))
	}
	fmt.Fprintf(stdout, "\n%d fuzzers passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		return 1
	}
	return 0
}

type fuzzer struct{ pkg, name string }

// discover finds the fuzzers by reading the test files of all packages.
func discover(ctx context.Context) ([]fuzzer, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f",
		"{{$p := .}}{{range .TestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}\n{{end}}"+
			"{{range .XTestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}\n{{end}}", "./...").Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var fuzzers []fuzzer
	for line := range strings.Lines(string(out)) {
		pkg, path, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		text, err := os.ReadFile(filepath.Clean(path))
		if err != nil {
			return nil, err
		}
		for _, name := range fuzzersIn(text) {
			fuzzers = append(fuzzers, fuzzer{pkg, name})
		}
	}
	return fuzzers, nil
}

var declaration = regexp.MustCompile(`(?m)^func (Fuzz\w*)\(\w+ \*testing\.F\)`)

func fuzzersIn(source []byte) []string {
	var names []string
	for _, m := range declaration.FindAllSubmatch(source, -1) {
		names = append(names, string(m[1]))
	}
	return names
}

// fuzz runs one fuzzer. The toolchain sometimes reports the end of its own time limit as a failure ("context deadline
// exceeded", no failing input): that run is repeated once.
func fuzz(ctx context.Context, f fuzzer, duration time.Duration) (output []byte, err error) {
	for range 2 {
		output, err = exec.CommandContext(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+f.name+"$",
			"-fuzztime", duration.String(), f.pkg).CombinedOutput()
		if err == nil || !endedByItsClock(output) {
			break
		}
	}
	return output, err
}

func endedByItsClock(output []byte) bool {
	return bytes.Contains(output, []byte("context deadline exceeded")) &&
		!bytes.Contains(output, []byte("Failing input written to"))
}

var execsPattern = regexp.MustCompile(`execs: (\d+)`)

// executions says how many inputs were tried.
func executions(output []byte) string {
	all := execsPattern.FindAllSubmatch(output, -1)
	if len(all) == 0 {
		return "no count of inputs"
	}
	return string(all[len(all)-1][1]) + " inputs"
}
