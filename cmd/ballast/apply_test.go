package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
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
	if got, want := s.must(apply...), "line,operation,result,sequence,issued_at\n2,g-1,applied,2,2026-03-31T00:00:00Z\n4,g-2,applied,3,2026-03-31T00:00:00Z\n"; got != want {
		t.Errorf("applied\n%s\nwant\n%s", got, want)
	}
	if got, want := s.must(apply...), "line,operation,result,sequence,issued_at\n2,g-1,applied before,2,2026-03-31T00:00:00Z\n4,g-2,applied before,3,2026-03-31T00:00:00Z\n"; got != want {
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
		"with a point":  {`{"credit": {"account": "alice", "amount": 12.00}}`},
		"quoted, too":   {`{"credit": {"account": "alice", "amount": "12.00"}}`},
		"no such field": {`{"credit": {"account": "alice", "sum": 1}}`},
		"too many":      strings.Split(strings.Repeat(`{"credit": {"account": "alice", "amount": 1}}`+"\n", 1001), "\n"),
	} {
		write(lines...)
		if got := s.run("apply", file); got.code != exitUsage {
			t.Errorf("%s: exit %d\n%s", name, got.code, got.err)
		}
	}
}

// TestConflictOfAGroup does not say that nothing took effect: what was sent before may have.
func TestConflictOfAGroup(t *testing.T) {
	view := appliedView{Line: 2, Operation: "rent-1", Refusal: "conflict"}
	flags := &applyFlags{id: "rent", issuedAt: "2026-03-31T00:00:00Z", attempt: 1}
	got := refusedGroup(view, ballastv1.ResultCode_RESULT_CODE_CONFLICT, flags).Error()
	if strings.Contains(got, "nothing of the group") || strings.Contains(got, "--attempt") || !strings.Contains(got, "ballast operation get rent-1") {
		t.Error(got)
	}
}
