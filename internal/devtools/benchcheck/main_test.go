package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const planted = `package p

import (
	"syscall"
	"testing"
)

// cpu is what the process has used, ns: this machine may be busy with something else.
func cpu() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

var sink []byte

func work(n int) (sum int) {
	for i := range n {
		sum += i * i % 7
	}
	return sum
}

func BenchmarkWork(b *testing.B) {
	b.ReportAllocs()
	began := cpu()
	for b.Loop() {
		if work(STEPS) < 0 {
			b.Fatal()
		}
	}
	b.ReportMetric(float64(cpu()-began)/float64(b.N), "cpu-ns/op")
}

func BenchmarkAllocate(b *testing.B) {
	b.ReportAllocs()
	began := cpu()
	for b.Loop() {
		for range OBJECTS {
			sink = make([]byte, 64)
		}
	}
	b.ReportMetric(float64(cpu()-began)/float64(b.N), "cpu-ns/op")
}
`

// A slowdown and an allocation that were planted are seen, each in its figure; what did not change is not blamed, nor is
// what got better.
func TestPlantedSlowdownIsCaught(t *testing.T) {
	benchstat := filepath.Join(t.TempDir(), "benchstat")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-modfile=../../../tools/go.mod", "-o", benchstat, "golang.org/x/perf/cmd/benchstat").CombinedOutput(); err != nil {
		t.Fatalf("build benchstat: %v\n%s", err, output)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	write := func(steps, objects string) {
		source := strings.NewReplacer("STEPS", steps, "OBJECTS", objects).Replace(planted)
		for name, text := range map[string]string{"go.mod": "module p\n\ngo 1.26\n", "p_test.go": source} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("20000", "2")
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"add", "."},
		{"-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m", "base"},
	} {
		if output, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, output)
		}
	}
	check := func() (int, string) {
		var out, errs bytes.Buffer
		// Half as slow again counts: what else this machine does must not fail the test.
		code := run(t.Context(), []string{
			"-base", "HEAD", "-packages", ".", "-benchtime", "20ms", "-rounds", "8", "-threshold", "50", "-benchstat", benchstat,
		}, &out, &errs)
		return code, out.String() + errs.String()
	}
	if code, text := check(); code != 0 {
		t.Errorf("nothing changed, and the code is %d:\n%s", code, text)
	}
	write("200000", "1")
	if code, text := check(); code != 1 || !strings.Contains(text, "Work") || strings.Contains(text[strings.Index(text, "worse than"):], "Allocate") {
		t.Errorf("ten times the work, half the objects: code %d\n%s", code, text)
	}
	write("20000", "4")
	if code, text := check(); code != 1 || !strings.Contains(text, "allocs/op") {
		t.Errorf("twice the objects: code %d\n%s", code, text)
	}
	if left, err := exec.CommandContext(t.Context(), "git", "worktree", "list").Output(); err != nil || strings.Count(string(left), "\n") != 1 {
		t.Errorf("worktrees left: %s, %v", left, err)
	}
}

func TestUsage(t *testing.T) {
	var out, errs bytes.Buffer
	for _, args := range [][]string{{}, {"-base", "HEAD", "-rounds", "1"}, {"-unknown"}} {
		if code := run(t.Context(), args, &out, &errs); code != 2 {
			t.Errorf("%v: code %d", args, code)
		}
	}
}

func TestTableThatIsNotUnderstoodIsAnError(t *testing.T) {
	if _, err := findWorse([]byte("something,else\n"), 5); err == nil {
		t.Error("a table of nothing was taken for one without slowdowns")
	}
}
