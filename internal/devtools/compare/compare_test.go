package compare

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ballastdb/ballast/internal/workload"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a System in this process with one target of its name.
type fake struct {
	name     string
	startErr error
	verify   func() error
	submit   func() error
	turns    *[]string
	accounts int
	stopped  bool
}

func (f *fake) Name() string                     { return f.name }
func (f *fake) Start(context.Context, Env) error { return f.startErr }
func (f *fake) Settings() []string               { return []string{"settings of " + f.name + " <&>"} }
func (f *fake) PIDs() []int                      { return nil }
func (f *fake) Targets() []Target                { return []Target{{Name: f.name, Target: f}} }

func (f *fake) Prepare(_ context.Context, accounts int) error {
	f.accounts = accounts
	return nil
}

func (f *fake) Stop() error {
	f.stopped = true
	return nil
}

func (f *fake) Verify(context.Context) error {
	if f.verify != nil {
		return f.verify()
	}
	return nil
}

func (f *fake) Submit(context.Context, []*ballastv1.Operation) (int, error) {
	time.Sleep(time.Millisecond)
	if turns := f.turns; turns != nil && (len(*turns) == 0 || (*turns)[len(*turns)-1] != f.name) {
		*turns = append(*turns, f.name)
	}
	if f.submit != nil {
		return 0, f.submit()
	}
	return 0, nil
}

func testCase(targets ...string) Case {
	return Case{
		Summary: "a test", Targets: targets, Rounds: 2,
		Workload: workload.Config{
			Name: "test", Accounts: 10, Mix: workload.Mix{Transfer: 1}, Callers: 1, Operations: 2, Duration: 20 * time.Millisecond,
		},
	}
}

// testRun runs a case on synctest's clock: how busy this machine is does not matter.
func testRun(t *testing.T, c Case, systems ...System) (report *Report, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		report, err = Run(t.Context(), []Case{c}, systems, Options{Dir: t.TempDir(), LogStore: "wal", Tell: func(line string) { t.Log(line) }})
	})
	return report, err
}

func names(rows []workload.Row) (found []string) {
	for _, row := range rows {
		found = append(found, row.Name)
	}
	return found
}

func TestTargetsTakeTurns(t *testing.T) {
	var turns []string
	a, b := &fake{name: "a", turns: &turns}, &fake{name: "b", turns: &turns}
	report, err := testRun(t, testCase("a", "b"), b, a)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "b", "a"}; !slices.Equal(turns, want) { // the second round begins with b, which was last
		t.Errorf("turns %v, want %v", turns, want)
	}
	for _, name := range []string{"test/a/throughput", "test/b/p99", "test/a/throughput/of/b", "test/a/p50/of/b"} {
		if !slices.Contains(names(report.Rows()), name) {
			t.Errorf("no row %s in %v", name, names(report.Rows()))
		}
	}
	if !a.stopped || !b.stopped || a.accounts != 10 {
		t.Errorf("stopped %v, %v; %d accounts", a.stopped, b.stopped, a.accounts)
	}
}

// reader is a fake that reads.
type reader struct {
	fake
	read int
}

func (r *reader) Targets() []Target { return []Target{{Name: r.name, Target: r}} }

func (r *reader) Read(_ context.Context, accounts []string, _ bool) error {
	time.Sleep(time.Millisecond)
	r.read += len(accounts)
	return nil
}

func TestReadsReachTheTarget(t *testing.T) {
	c := testCase("ours")
	c.Workload.Mix = workload.Mix{Read: 1}
	ours := &reader{fake: fake{name: "ours"}}
	if _, err := testRun(t, c, ours); err != nil || ours.read == 0 {
		t.Errorf("%d reads, %v", ours.read, err)
	}
}

// A peer that does not do what it promises must not be compared with, whenever that shows; the others' figures stay.
func TestUnfairPeerDoesNotCount(t *testing.T) {
	unfair := errors.New("WAIT answers that 0 replicas have the write")
	calls := 0
	for name, peer := range map[string]*fake{
		"cannot be set up":            {name: "peer", startErr: unfair},
		"its replica is not attached": {name: "peer", verify: func() error { return unfair }},
		"its replica goes later": {name: "peer", verify: func() error {
			if calls++; calls > 3 {
				return unfair
			}
			return nil
		}},
		"acknowledges what nobody has": {name: "peer", submit: func() error { return unfair }},
	} {
		t.Run(name, func(t *testing.T) {
			c := testCase("ours", "peer")
			c.Bars = []Bar{{Figure: Throughput, Of: "peer", Least: 0.001}}
			report, err := testRun(t, c, &fake{name: "ours"}, peer)
			if !errors.Is(err, unfair) || len(report.Failed) != 1 {
				t.Errorf("error %v, failed %q; want the reason in both", err, report.Failed)
			}
			found := names(report.Rows())
			if slices.ContainsFunc(found, func(n string) bool { return strings.Contains(n, "peer") }) || !slices.Contains(found, "test/ours/throughput") {
				t.Errorf("rows %v", found)
			}
			if len(report.Unjudged()) != 1 || !peer.stopped {
				t.Errorf("unjudged %q; stopped %v", report.Unjudged(), peer.stopped)
			}
		})
	}
}

func TestMissingPeerIsSkippedByName(t *testing.T) {
	missing := &fake{name: "peer", startErr: fmt.Errorf("%w: no peer on PATH", ErrMissing)}
	report, err := testRun(t, testCase("ours", "peer", "unknown"), &fake{name: "ours"}, missing)
	if err != nil {
		t.Fatal(err)
	}
	skipped := strings.Join(report.Skipped, "\n")
	if !strings.Contains(skipped, "no peer on PATH") || !strings.Contains(skipped, "unknown: not in this run") {
		t.Errorf("skipped %q", skipped)
	}
	if missing.stopped {
		t.Error("what was never started was stopped")
	}
}

func TestBarsAreJudged(t *testing.T) {
	c := testCase("ours", "peer")
	c.Bars = []Bar{
		{Figure: Throughput, Least: 1},
		{Figure: P50, Most: 0.001},
		{Figure: Throughput, Of: "peer", Least: 1000},
		{Figure: Throughput, Least: 1, For: time.Hour},
		{Figure: Throughput, Of: "peer", Least: 0.1, LogStore: "boltdb"},
	}
	report, err := testRun(t, c, &fake{name: "ours"}, &fake{name: "peer"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(report.Missed()), []string{"test/ours/p50", "test/ours/throughput/of/peer"}; !slices.Equal(got, want) {
		t.Errorf("missed %v, want %v", got, want)
	}
	if lines := report.Unjudged(); len(lines) != 2 {
		t.Errorf("unjudged %q, want the bar for an hour and that for boltdb", lines)
	}
	for _, row := range report.Rows() {
		if row.Name == "test/peer/throughput" && row.Bar != nil {
			t.Error("the peer is held against our bar")
		}
	}
}

// The page needs nothing from anywhere, and its plots are well-formed.
func TestPageIsSelfContained(t *testing.T) {
	report, err := testRun(t, testCase("ours", "peer"), &fake{name: "ours"}, &fake{name: "peer"})
	if err != nil {
		t.Fatal(err)
	}
	var page, text bytes.Buffer
	if err := errors.Join(report.WritePage(&page), report.WriteText(&text)); err != nil {
		t.Fatal(err)
	}
	if assets := regexp.MustCompile(`(?i)<script|<link|src=|href=|@import|url\(`).FindAllString(page.String(), -1); assets != nil {
		t.Errorf("the page loads %q", assets)
	}
	plots := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page.String(), -1)
	if len(plots) != 2 {
		t.Errorf("%d plots, want 2", len(plots))
	}
	for _, plot := range plots {
		for decoder := xml.NewDecoder(strings.NewReader(plot)); ; {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in\n%s", err, plot)
			}
		}
		if strings.Contains(plot, "NaN") || strings.Contains(plot, "Inf") {
			t.Errorf("a plot has what is not a number:\n%s", plot)
		}
	}
	for _, want := range []string{"settings of peer", "2 a call", "peer"} {
		if !strings.Contains(page.String(), want) || !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// Every case can be run, and every bar is held against something that is there.
func TestCases(t *testing.T) {
	ours := &Ballast{}
	for _, c := range Cases() {
		if err := c.Workload.Validate(); err != nil {
			t.Error(err)
		}
		if !slices.ContainsFunc(ours.Targets(), func(target Target) bool { return target.Name == c.Targets[0] }) {
			t.Errorf("%s: its first target is %s, expected one of ours", c.Name(), c.Targets[0])
		}
		for _, bar := range c.Bars {
			if bar.Of != "" && !slices.Contains(c.Targets, bar.Of) {
				t.Errorf("%s: a bar against %s, which takes no part", c.Name(), bar.Of)
			}
			if !slices.Contains(figureOrder(), bar.Figure) || (bar.Least == 0) == (bar.Most == 0) {
				t.Errorf("%s: bar %+v", c.Name(), bar)
			}
		}
	}
	if _, err := Find([]string{"none"}); err == nil {
		t.Error("an unknown case was found")
	}
	if found, err := Find(nil); err != nil || slices.ContainsFunc(found, Case.long) || len(found) == 0 {
		t.Errorf("%d cases by default, %v", len(found), err)
	}
}

func TestMetricsAreRead(t *testing.T) {
	s, err := parseSamples(strings.NewReader("# HELP x y\nx 3\ngc{quantile=\"1\"} 0.002\nodd\n"))
	if err != nil || s.value("x") != 3 || s[`gc{quantile="1"}`] != 0.002 || len(s) != 2 {
		t.Errorf("%v, %v", s, err)
	}
}
