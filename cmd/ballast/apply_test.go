package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestApply: operations of any kind go as one group with ids that a retry repeats; the one that was refused is named.
func TestApply(t *testing.T) {
	f, s := start(t)
	s.must("account", "create", "alice", "--ledger", "usd")
	file := filepath.Join(t.TempDir(), "group.ndjson")
	write := func(lines ...string) {
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# money in, and out again", `{"credit": {"account": "alice", "amount": 500}, "reference": "in"}`, "",
		`{"debit": {"account": "alice", "amount": "20"}}`)
	apply := []string{"apply", file, "--id", "g", "--issued-at", "2026-03-31T00:00:00Z", "-o", "csv"}
	if got, want := s.must(apply...), "line,operation,result,sequence\n2,g-1,applied,2\n4,g-2,applied,3\n"; got != want {
		t.Errorf("applied\n%s\nwant\n%s", got, want)
	}
	if got, want := s.must(apply...), "line,operation,result,sequence\n2,g-1,applied before,2\n4,g-2,applied before,3\n"; got != want {
		t.Errorf("a retry\n%s\nwant\n%s", got, want)
	}
	f.mu.Lock()
	sent := f.sent[len(f.sent)-2:]
	if !sent[0].GetLinked() || sent[1].GetLinked() || sent[0].GetReference() != "in" || sent[0].GetIssuedAt() != sent[1].GetIssuedAt() {
		t.Errorf("sent %v", sent)
	}
	f.mu.Unlock()

	write(`{"credit": {"account": "alice", "amount": 1}}`, `{"debit": {"account": "alice", "amount": 100000}}`)
	got := s.run("apply", file, "--id", "h")
	if got.code != exitFailed || !strings.Contains(got.err, "line 2") || !strings.Contains(got.err, "insufficient funds") || !strings.Contains(got.err, "--attempt 2") {
		t.Errorf("exit %d\n%s", got.code, got.err)
	}
	for name, lines := range map[string][]string{
		"no operations": {"# nothing"},
		"no JSON":       {"credit alice 5"},
		"no such field": {`{"credit": {"account": "alice", "sum": 1}}`},
		"too many":      strings.Split(strings.Repeat(`{"credit": {"account": "alice", "amount": 1}}`+"\n", 1001), "\n"),
	} {
		write(lines...)
		if got := s.run("apply", file); got.code != exitUsage {
			t.Errorf("%s: exit %d\n%s", name, got.code, got.err)
		}
	}
}
