package main

import (
	"regexp"
	"strings"
)

// row of the guards' table.
type row struct{ Guard, Package, Test string }

var rowPattern = regexp.MustCompile(`^\|\s*([^|]+?)\s*\|\s*([a-z][a-z0-9/]*)\s*\|\s*(Test\w+)\s*\|`)

// parseTable returns the rows `| name | package | TestName |` of a document; more columns may follow. Backquotes around
// a cell are ignored.
func parseTable(text string) []row {
	var rows []row
	for line := range strings.Lines(text) {
		if m := rowPattern.FindStringSubmatch(strings.ReplaceAll(line, "`", "")); m != nil {
			rows = append(rows, row{Guard: m[1], Package: m[2], Test: m[3]})
		}
	}
	return rows
}

// outcome of one run of a test.
type outcome string

const (
	passed outcome = "passed"
	failed outcome = "failed"
	notRun outcome = "not run"
)

// verdict on one guard.
type verdict struct {
	guarded, unguarded outcome
	output             string // of the run that decided
}

func (v verdict) good() bool { return v.guarded == passed && v.unguarded == failed }

func (v verdict) words() string {
	switch {
	case v.good():
		return "ok"
	case v.guarded == failed:
		return "fails with the guard on"
	case v.guarded == notRun || v.unguarded == notRun:
		return "did not run"
	}
	return "passes without the guard: it does not test it"
}
