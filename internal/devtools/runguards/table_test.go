package main

import (
	"slices"
	"testing"
)

func TestParseTable(t *testing.T) {
	got := parseTable("# Testing\n\n| guard | package | test | what |\n|---|---|---|---|\n" +
		"| #695 | transport | TestHeartbeats | why |\n| `log data` | `fsm/page` | `TestX` |\n| not a row | TestY |\n")
	want := []row{{"#695", "transport", "TestHeartbeats"}, {"log data", "fsm/page", "TestX"}}
	if !slices.Equal(got, want) {
		t.Errorf("found %v, wanted %v", got, want)
	}
}

func TestOnlyPassThenFailIsGood(t *testing.T) {
	for _, guarded := range []outcome{passed, failed, notRun} {
		for _, unguarded := range []outcome{passed, failed, notRun} {
			v := verdict{guarded: guarded, unguarded: unguarded}
			if want := guarded == passed && unguarded == failed; v.good() != want || (v.words() == "ok") != want {
				t.Errorf("guarded %s, unguarded %s: good %v, %q", guarded, unguarded, v.good(), v.words())
			}
		}
	}
}
