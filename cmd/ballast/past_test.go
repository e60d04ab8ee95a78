package main

import (
	"strings"
	"testing"
)

func TestBalanceAt(t *testing.T) {
	_, s := start(t)
	got := s.must("balance-at", "alice", "7", "-o", "json")
	if want := `{
  "account": "alice",
  "ledger": "usd",
  "posted": "12.50",
  "posted_units": "1250",
  "sequence": 7,
  "last_sequence": 5,
  "final": true
}
`; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if r := s.run("balance-at", "alice", "2023-11-15", "--stale"); r.code != exitDone || !strings.Contains(r.out, "12.50") ||
		!strings.Contains(r.err, "not final") || !strings.Contains(r.err, "stale: as of log index 17") {
		t.Errorf("at a time: exit %d\n%s%s", r.code, r.out, r.err)
	}
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"alice", "2"}, exitFailed, `there is no account "alice"`},
		{[]string{"alice", "2023-11-01"}, exitFailed, `there is no account "alice"`},
		{[]string{"bob", "7"}, exitFailed, `there is no account "bob"`},
		{[]string{"alice", "yesterday"}, exitUsage, "must look like"},
		{[]string{"alice", "1969-12-31"}, exitUsage, "after 1970"},
		{[]string{"alice", "18446744073709551616"}, exitUsage, "not within"},
		{[]string{"alice"}, exitUsage, "is missing"},
	} {
		if r := s.run(append([]string{"balance-at"}, c.args...)...); r.code != c.code || !strings.Contains(r.err, c.text) {
			t.Errorf("%q: exit %d\n%s", c.args, r.code, r.err)
		}
	}
}

func TestStatementOfAStretch(t *testing.T) {
	f, s := start(t)
	s.must("account", "create", "alice", "--ledger", "usd")
	s.must("credit", "alice", "1")
	s.must("credit", "alice", "2")
	r := s.run("statement", "alice", "--forward", "--after", "1", "--before", "9", "--from", "2023-11-01", "--until", "2023-12-01", "--limit", "1")
	if r.code != exitDone || !strings.Contains(r.err, "newer entries, if any: --after 3") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	if q := f.asked; !q.GetForward() || q.GetAfterSequence() != 1 || q.GetBeforeSequence() != 9 || q.GetFromTime() != 1698796800e9 || q.GetUntilTime() != 1701388800e9 {
		t.Errorf("asked was %v", f.asked)
	}
	if r := s.run("statement", "alice", "--from", "soon"); r.code != exitUsage {
		t.Errorf("--from soon: exit %d\n%s", r.code, r.err)
	}
}
