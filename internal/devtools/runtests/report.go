package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is one line of `go test -json`.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build output
	Test       string
	Output     string
	Elapsed    float64
	// FailedBuild names the package whose build failure made this package fail.
	FailedBuild string
}

// report counts leaves: a test with subtests counts as its subtests, and as itself only where it failed and none of
// them did. A package that fails without a failing test (it did not build, TestMain said so, it leaked) counts as one
// failure.
type report struct {
	out     io.Writer
	verbose bool

	passes, failures int
	skips            []skip
	packages         map[string]*packageRun
	builds           map[string]*strings.Builder // build output by import path
}

type skip struct{ pkg, test, reason string }

type packageRun struct {
	tests  map[string]*testRun
	output strings.Builder // outside of tests
	failed bool
}

type testRun struct {
	output   strings.Builder
	action   string // last of pass, fail, skip; empty while it runs
	parent   bool
	subFails bool
}

func newReport(out io.Writer, verbose bool) *report {
	return &report{out: out, verbose: verbose, packages: map[string]*packageRun{}, builds: map[string]*strings.Builder{}}
}

// read takes in the events of one `go test -json`.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if strings.HasPrefix(line, "{") {
			var e event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				return fmt.Errorf("go test -json printed %q: %w", line, err)
			}
			r.take(e)
		} else if strings.TrimSpace(line) != "" {
			fmt.Fprint(r.out, line)
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (r *report) take(e event) {
	if e.Action == "build-output" {
		if r.builds[e.ImportPath] == nil {
			r.builds[e.ImportPath] = &strings.Builder{}
		}
		r.builds[e.ImportPath].WriteString(e.Output)
		return
	}
	if e.Package == "" {
		return
	}
	p := r.packages[e.Package]
	if p == nil {
		p = &packageRun{tests: map[string]*testRun{}}
		r.packages[e.Package] = p
	}
	if e.Test == "" {
		r.takePackage(p, e)
		return
	}
	t := p.tests[e.Test]
	if t == nil {
		t = &testRun{}
		p.tests[e.Test] = t
	}
	switch e.Action {
	case "output":
		t.output.WriteString(e.Output)
	case "run":
		if i := strings.LastIndexByte(e.Test, '/'); i > 0 && p.tests[e.Test[:i]] != nil {
			p.tests[e.Test[:i]].parent = true
		}
	case "pass", "fail", "skip":
		t.action = e.Action
	}
}

func (r *report) takePackage(p *packageRun, e event) {
	switch e.Action {
	case "output":
		p.output.WriteString(e.Output)
	case "fail":
		p.failed = true
		r.closePackage(e, p)
	case "pass", "skip":
		r.closePackage(e, p)
	}
}

// closePackage counts a package's tests once it has ended, and prints its line and its failures.
func (r *report) closePackage(e event, p *packageRun) {
	names := slices.Sorted(maps.Keys(p.tests))
	for _, name := range names { // an unfinished test of a failed package was cut off: a panic, a timeout
		if t := p.tests[name]; t.action == "" && p.failed {
			t.action = "fail"
		}
		if p.tests[name].action != "fail" {
			continue
		}
		for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name[:i], '/') {
			if parent := p.tests[name[:i]]; parent != nil {
				parent.subFails = true
			}
		}
	}
	passes, failures, skips := 0, 0, 0
	for _, name := range names {
		t := p.tests[name]
		switch {
		case t.action == "fail" && !t.subFails:
			failures++
			fmt.Fprintf(r.out, "\n--- FAIL %s %s\n%s", e.Package, name, indent(t.output.String()))
		case t.action == "fail" && t.output.Len() > 0:
			fmt.Fprintf(r.out, "\n--- FAIL %s %s (its subtests failed)\n%s", e.Package, name, indent(t.output.String()))
		case t.action == "skip":
			skips++
			r.skips = append(r.skips, skip{e.Package, name, skipReason(t.output.String())})
		case t.action == "pass" && !t.parent:
			passes++
		}
		if r.verbose && t.action != "fail" {
			fmt.Fprint(r.out, t.output.String())
		}
	}
	if p.failed && failures == 0 {
		failures++
		fmt.Fprintf(r.out, "\n--- FAIL %s\n", e.Package)
		if build := r.builds[e.FailedBuild]; build != nil {
			fmt.Fprint(r.out, indent(build.String()))
		}
		fmt.Fprint(r.out, indent(p.output.String()))
	} else if p.failed {
		fmt.Fprint(r.out, indent(p.output.String()))
	}
	r.passes += passes
	r.failures += failures
	verdict := "ok  "
	if p.failed {
		verdict = "FAIL"
	}
	fmt.Fprintf(r.out, "%s %-55s %6.1f s  %d passed, %d failed, %d skipped\n",
		verdict, e.Package, e.Elapsed, passes, failures, skips)
	delete(r.packages, e.Package)
}

// skipped counts something that could not be done on this machine.
func (r *report) skipped(pkg, what, reason string) {
	r.skips = append(r.skips, skip{pkg, what, reason})
}

// failedToRun counts a run that could not be made at all as one failure.
func (r *report) failedToRun(err error) {
	r.failures++
	fmt.Fprintf(r.out, "\n--- FAIL %v\n", err)
}

func (r *report) anyFailed() bool { return r.failures > 0 }

// finish prints the skips and the summary and returns the exit status.
func (r *report) finish() int {
	for name, p := range r.packages { // go test ended without a word on these
		p.failed = true
		r.closePackage(event{Package: name}, p)
	}
	if len(r.skips) > 0 {
		fmt.Fprintln(r.out, "\nskipped:")
		for _, s := range r.skips {
			fmt.Fprintf(r.out, "  %s %s: %s\n", s.pkg, s.test, s.reason)
		}
	}
	fmt.Fprintf(r.out, "\n%d passed, %d failed, %d skipped\n", r.passes, r.failures, len(r.skips))
	if r.failures > 0 || r.passes == 0 {
		return 1
	}
	return 0
}

// skipReason picks the words of t.Skip out of a test's output.
func skipReason(output string) string {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if _, reason, ok := strings.Cut(line, ".go:"); ok {
			_, reason, _ = strings.Cut(reason, ": ")
			return reason
		}
	}
	return "no reason given"
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("    ")
		b.WriteString(line)
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		b.WriteByte('\n')
	}
	return b.String()
}
