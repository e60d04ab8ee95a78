package main

import (
	"slices"
	"testing"
)

func TestFuzzersIn(t *testing.T) {
	got := fuzzersIn([]byte("package p\n\nfunc FuzzA(f *testing.F) {\n}\n\n// func FuzzNot(f *testing.F)\nfunc FuzzB2(f *testing.F) {}\nfunc fuzzC() {}\n"))
	if want := []string{"FuzzA", "FuzzB2"}; !slices.Equal(got, want) {
		t.Errorf("found %v, wanted %v", got, want)
	}
}

func TestEndOfTimeIsNotAFinding(t *testing.T) {
	if !endedByItsClock([]byte("--- FAIL: FuzzA (20.1s)\n    context deadline exceeded\n")) {
		t.Error("the toolchain's own clock was taken for a finding")
	}
	if endedByItsClock([]byte("context deadline exceeded\nFailing input written to testdata/x\n")) {
		t.Error("a finding was taken for the toolchain's own clock")
	}
}
