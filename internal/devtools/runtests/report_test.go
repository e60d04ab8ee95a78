package main

import (
	"strings"
	"testing"
)

// lines of `go test -json`, shortened to what the report reads.
const (
	oneOfEach = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:7: wanted 1, found 2\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"run","Package":"p","Test":"TestC"}
{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:9: no network\n"}
{"Action":"skip","Package":"p","Test":"TestC"}
{"Action":"fail","Package":"p"}
`
	subtests = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/x"}
{"Action":"pass","Package":"p","Test":"TestA/x"}
{"Action":"run","Package":"p","Test":"TestA/y"}
{"Action":"fail","Package":"p","Test":"TestA/y"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}
`
	panicked = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: test timed out\n"}
{"Action":"fail","Package":"p"}
`
	notBuilt = `{"ImportPath":"p [p.test]","Action":"build-output","Output":"p/a.go:3:1: syntax error\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}
`
	leaked = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"goleak: found a goroutine\n"}
{"Action":"fail","Package":"p"}
`
	cutOff = `{"Action":"run","Package":"p","Test":"TestA"}
`
	good = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}
`
)

func TestSummary(t *testing.T) {
	for name, c := range map[string]struct {
		events, summary, says string
		status                int
	}{
		"one of each":        {oneOfEach, "1 passed, 1 failed, 1 skipped", "wanted 1, found 2", 1},
		"skips have reasons": {oneOfEach, "1 passed, 1 failed, 1 skipped", "TestC: no network", 1},
		"subtests are tests": {subtests, "1 passed, 1 failed, 0 skipped", "TestA/y", 1},
		"panic":              {panicked, "0 passed, 1 failed, 0 skipped", "test timed out", 1},
		"does not build":     {notBuilt, "0 passed, 1 failed, 0 skipped", "syntax error", 1},
		"leak":               {leaked, "1 passed, 1 failed, 0 skipped", "found a goroutine", 1},
		"no end":             {cutOff, "0 passed, 1 failed, 0 skipped", "TestA", 1},
		"all good":           {good, "1 passed, 0 failed, 0 skipped", "ok", 0},
		"nothing ran":        {"", "0 passed, 0 failed, 0 skipped", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := newReport(&out, false)
			if err := r.read(strings.NewReader(c.events)); err != nil {
				t.Fatal(err)
			}
			status := r.finish()
			lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
			if last := lines[len(lines)-1]; last != c.summary || status != c.status {
				t.Errorf("last line %q and status %d, wanted %q and %d", last, status, c.summary, c.status)
			}
			if !strings.Contains(out.String(), c.says) {
				t.Errorf("%q is missing in:\n%s", c.says, out.String())
			}
		})
	}
}

func TestRaceMattersWhereThereIsConcurrency(t *testing.T) {
	packages, err := list(t.Context(), []string{"."})
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) != 1 || concurrent(packages[0]) {
		t.Errorf("packages %v: wanted this one alone, and not concurrent", packages)
	}
	if !excepted("example.com/m/tests/linearizability") || excepted("example.com/m/transport") {
		t.Error("only packages below tests/ are excepted from the race detector")
	}
}
