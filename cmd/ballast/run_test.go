package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/internal/version"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// session runs commands against one fake cluster.
type session struct {
	t        *testing.T
	endpoint string
	in       string // standard input
}

// ran is what a command did.
type ran struct {
	code     int
	out, err string
}

func (s *session) run(args ...string) ran {
	s.t.Helper()
	var out, err bytes.Buffer
	code := run(s.t.Context(), append([]string{"--endpoints", s.endpoint, "--timeout", "2s"}, args...), stdio{in: strings.NewReader(s.in), out: &out, err: &err})
	return ran{code: code, out: out.String(), err: err.String()}
}

// must runs a command that has to succeed, and returns what it printed.
func (s *session) must(args ...string) string {
	s.t.Helper()
	r := s.run(args...)
	if r.code != exitDone || r.err != "" {
		s.t.Fatalf("%q: exit %d\n%s%s", args, r.code, r.out, r.err)
	}
	return r.out
}

func start(t *testing.T) (*fakeCluster, *session) {
	f, endpoint := startFake(t)
	return f, &session{t: t, endpoint: endpoint}
}

func TestMoneyStory(t *testing.T) {
	f, s := start(t)
	s.must("ledger", "create", "eur", "--asset", "EUR", "--scale", "3")
	s.must("account", "create", "alice", "--ledger", "usd", "--floor", "-5")
	s.must("account", "create", "bob", "--ledger", "usd")
	s.must("credit", "alice", "100.5")
	got := s.must("debit", "alice", "20", "--id", "0190a0b0-c0d0-7000-8000-000000000001", "--code", "7", "--reference", "call-1",
		"--event-time", "2026-01-31", "-o", "json")
	want := `{
  "operation": "0190a0b0-c0d0-7000-8000-000000000001",
  "attempt": 1,
  "issued_at": "2024-07-11T07:27:36.656Z",
  "result": "applied",
  "replayed": false,
  "sequence": 5,
  "ledger": "usd",
  "account": "alice",
  "amount": "20.00",
  "amount_units": "2000",
  "posted": "80.50",
  "posted_units": "8050",
  "available": "85.50",
  "available_units": "8550"
}
`
	if got != want {
		t.Errorf("debit:\n%s\nwant\n%s", got, want)
	}
	if got := s.must("debit", "alice", "20", "--id", "0190a0b0-c0d0-7000-8000-000000000001"); !strings.Contains(got, "applied before") {
		t.Errorf("a retry shows\n%s", got)
	}
	if got := s.must("transfer", "alice", "bob", "12.34", "-o", "csv"); !regexp.MustCompile(`,applied,6,12\.34,alice,68\.16,bob,12\.34,73\.16,\d{4}-[^,]+Z\n$`).MatchString(got) {
		t.Errorf("transfer:\n%s", got)
	}
	got = s.must("account", "get", "alice", "-o", "json")
	want = `{
  "id": "alice",
  "ledger": "usd",
  "posted": "68.16",
  "held": "0.00",
  "floor": "-5.00",
  "available": "73.16",
  "posted_units": "6816",
  "held_units": "0",
  "floor_units": "-500",
  "available_units": "7316",
  "version": 4,
  "flags": []
}
`
	if got != want {
		t.Errorf("account get:\n%s\nwant\n%s", got, want)
	}
	got = s.must("statement", "alice", "-o", "csv")
	id := regexp.MustCompile(`,,0,,[-0-9a-f]{36},,,\n`)
	want = "sequence,log_time,kind,amount,posted,amount_units,posted_units,counterparty,event_time,code,reference,operation,hold,remaining,released\n" +
		"6,2023-11-14T22:13:20.000000000Z,credit,-12.34,68.16,-1234,6816,bob,,0,,ID,,,\n" +
		"5,2023-11-14T22:13:20.000000000Z,debit,-20.00,80.50,-2000,8050,@usd/debits,2026-01-31T00:00:00Z,7,call-1,0190a0b0-c0d0-7000-8000-000000000001,,,\n" +
		"4,2023-11-14T22:13:20.000000000Z,credit,100.50,100.50,10050,10050,@usd/credits,,0,,ID,,,\n"
	if got = id.ReplaceAllString(got, ",,0,,ID,,,\n"); got != want {
		t.Errorf("statement:\n%s\nwant\n%s", got, want)
	}
	s.must("account", "freeze", "alice", "--credits-too")
	s.must("account", "set", "alice", "--floor", "-7.50")
	if a := f.accounts["alice"]; !a.GetFrozen() || !a.GetFrozenCredits() || a.GetFloor() != -750 {
		t.Errorf("%v", a)
	}
	s.must("account", "thaw", "alice")
	if f.accounts["alice"].GetFrozen() {
		t.Error("still frozen")
	}
	if got := s.must("ledger", "list"); got != "NAME  ASSET  SCALE\nusd   USD        2\neur   EUR        3\n" {
		t.Errorf("ledger list:\n%s", got)
	}
}

func TestRefusals(t *testing.T) {
	f, s := start(t)
	f.open("alice", 1000, -500)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"debit", "alice", "20.00"}, exitFailed, `error: refused: account "alice": insufficient funds: asked 20.00, available 15.00 (ledger usd)`},
		{[]string{"credit", "bob", "1"}, exitFailed, `error: there is no account "bob"`},
		{[]string{"account", "list", "--ledger", "nope"}, exitFailed, `error: there is no ledger "nope"`},
		{[]string{"account", "list", "--ledger", "nope", "--stale"}, exitFailed, `error: there is no ledger "nope"`},
		{[]string{"account", "get", "bob"}, exitFailed, `error: there is no account "bob"`},
		{[]string{"statement", "bob"}, exitFailed, `error: there is no account "bob"`},
		{[]string{"transfer", "alice", "bob", "1"}, exitFailed, `error: refused: there is no account "bob"`},
		{[]string{"account", "create", "alice", "--ledger", "usd"}, exitFailed, `error: refused: there is an account "alice" already`},
		{[]string{"account", "create", "bob", "--ledger", "gbp"}, exitFailed, `error: there is no ledger "gbp"; make it with: ballast ledger create gbp`},
		{[]string{"ledger", "create", "usd", "--asset", "USD", "--scale", "2"}, exitFailed, `error: refused: there is a ledger "usd" already`},
		{[]string{"account", "close", "alice"}, exitFailed, `error: refused: account "alice" still has money posted or held`},
		{[]string{"operation", "get", "never"}, exitFailed, `error: operation "never" is not remembered`},
		{[]string{"leader", "transfer", "node-9"}, exitFailed, `there is no voter "node-9"`},
		{[]string{"credit", "alice", "1.005"}, exitUsage, `error: amount 1.005 has too many decimals: ledger "usd" counts in steps of 0.01`},
		{[]string{"credit", "alice", "1,000"}, exitUsage, `error: amount "1,000" is not a plain decimal`},
		{[]string{"credit", "alice", "0"}, exitUsage, `error: amount 0 must be positive`},
		{[]string{"credit", "alice", "-5"}, exitUsage, `amounts are positive: debit lowers a balance`},
		{[]string{"credit", "alice"}, exitUsage, `error: AMOUNT is missing (usage: ballast credit ACCOUNT AMOUNT [flags])`},
		{[]string{"credit", "alice", "1", "2"}, exitUsage, `error: unexpected argument "2"`},
		{[]string{"credit", "alice", "1", "--attempt", "0"}, exitUsage, `attempts count from 1`},
		{[]string{"credit", "alice", "1", "--issued-at", "2026-01-01"}, exitUsage, `--issued-at goes with the --id`},
		{[]string{"credit", "alice", "1", "--event-time", "yesterday"}, exitUsage, `--event-time: time "yesterday"`},
		{[]string{"credit", "alice", "99999999999999999999"}, exitUsage, `out of range`},
		{[]string{"account", "create", "bob", "--ledger", "usd", "--floor", "5"}, exitUsage, `--floor 5: it must be 0 or below`},
		{[]string{"account", "create", "bob", "--ledger", "usd", "--floor", "-0.001"}, exitUsage, `too many decimals`},
		{[]string{"account", "create", "bob"}, exitUsage, `--ledger is missing`},
		{[]string{"account", "set", "alice"}, exitUsage, `nothing to set`},
		{[]string{"ledger", "create", "x", "--asset", "X"}, exitUsage, `--scale is missing`},
		{[]string{"transfer", "alice", "alice", "1"}, exitUsage, `the same account`},
		{[]string{"acount"}, exitUsage, `did you mean "account"?`},
		{[]string{"account", "gett"}, exitUsage, `did you mean "get"?`},
		{[]string{"account"}, exitUsage, `Available Commands:`},
		{[]string{"status", "-o", "yaml"}, exitUsage, `unknown output format "yaml"`},
		{[]string{"status", "--timeout", "0s"}, exitUsage, `it must be positive`},
		{[]string{"status", "--timeout", "5"}, exitUsage, `--timeout 5: a unit is missing; did you mean 5s?`},
		{[]string{"completion", "tcsh"}, exitUsage, `ballast completion has no command "tcsh"`},
		{[]string{"completion"}, exitUsage, `Available Commands:`},
		{[]string{"status", "--endpoints", "nonsense"}, exitUsage, `expected host:port`},
		{[]string{"import", "x.csv"}, exitUsage, `--ledger is missing`},
		{[]string{"import", "x.csv", "--ledger", "usd", "--report", "/no such directory/r.json"}, exitUsage, `nothing was sent`},
		{[]string{"import", "x.csv", "--ledger", "usd", "--report", "/"}, exitUsage, `no regular file`},
		{[]string{"cluster", "join"}, exitUsage, `--node is missing`},
		{[]string{"cluster", "bootstrap"}, exitUsage, `--node is missing`},
	} {
		r := s.run(c.args...)
		if r.code != c.code || !strings.Contains(r.err, c.want) || r.out != "" {
			t.Errorf("%q: exit %d, out %q, err %q; want exit %d, %q", c.args, r.code, r.out, r.err, c.code, c.want)
		}
	}
	if f.accounts["alice"].GetPosted() != 1000 {
		t.Error("a refused operation had an effect")
	}
}

func TestRefusalInJSON(t *testing.T) {
	f, s := start(t)
	f.open("alice", 1000, 0)
	r := s.run("debit", "alice", "20.00", "-o", "json")
	var got map[string]any
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.code != exitFailed {
		t.Fatalf("%v: %+v", err, r)
	}
	for key, want := range map[string]any{"result": "insufficient_funds", "asked": "20.00", "available": "10.00", "available_units": "1000", "account": "alice"} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
}

// What a person is told after an unknown outcome is a retry, not a second operation.
func TestUnknownOutcome(t *testing.T) {
	f, s := start(t)
	f.open("alice", 0, 0)
	f.fail = failure(codes.Unavailable, "leadership lost", ballastv1.Outcome_OUTCOME_UNKNOWN)
	r := s.run("credit", "alice", "5", "--id", "invoice 17", "--attempt", "2")
	if r.code != exitUnknown {
		t.Fatalf("%+v", r)
	}
	if !strings.HasPrefix(r.err, "error: outcome of operation invoice 17 unknown: ") || strings.Contains(r.err, "Unavailable:") {
		t.Errorf("%s", r.err)
	}
	told := regexp.MustCompile(`with --id '(.*)' --issued-at (\S+) --attempt 2: it takes effect at most once`).FindStringSubmatch(r.err)
	if told == nil || told[1] != "invoice 17" {
		t.Fatalf("%s", r.err)
	}
	f.fail = nil
	first := f.sent[0]
	s.must("credit", "alice", "5", "--id", told[1], "--issued-at", told[2], "--attempt", "2")
	retried := f.sent[len(f.sent)-1]
	if first.String() != retried.String() {
		t.Errorf("sent %v, then %v", first, retried)
	}
}

func TestUnavailable(t *testing.T) {
	f, s := start(t)
	f.open("alice", 0, 0)
	f.fail = failure(codes.Unavailable, "no leader", ballastv1.Outcome_OUTCOME_NOT_DONE)
	f.failRead = f.fail
	if r := s.run("credit", "alice", "5"); r.code != exitUnavailable || !strings.Contains(r.err, "nothing was done by this call") || strings.Contains(r.err, "earlier") {
		t.Errorf("credit: %+v", r)
	}
	if r := s.run("credit", "alice", "5", "--id", "invoice-17"); r.code != exitUnavailable ||
		!strings.Contains(r.err, "an earlier call with this id may have been applied: ballast operation get invoice-17") {
		t.Errorf("credit again: %+v", r)
	}
	if r := s.run("account", "get", "alice"); r.code != exitUnavailable || r.out != "" {
		t.Errorf("account get: %+v", r)
	}
	r := s.run("account", "get", "alice", "--stale", "-o", "json")
	var got struct {
		ID   string
		Read struct {
			Index      uint64
			Stale      bool
			AgeSeconds float64 `json:"age_seconds"`
		}
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.code != exitDone || got.ID != "alice" || !got.Read.Stale || got.Read.AgeSeconds != 1.5 || got.Read.Index != 17 {
		t.Errorf("%v: %+v", err, r)
	}
	if r = s.run("account", "get", "alice", "--stale"); !strings.Contains(r.err, "last heard from a leader 1.5s ago") {
		t.Errorf("%+v", r)
	}
}

func TestAccountListHasEveryPage(t *testing.T) {
	f, s := start(t)
	f.open("@usd/credits", 0, 0).System = true
	for i := range 5 {
		f.open(fmt.Sprintf("a%d", i), int64(i), 0)
	}
	for _, c := range []struct {
		args []string
		want int
	}{{nil, 5}, {[]string{"--system"}, 6}, {[]string{"--prefix", "a3"}, 1}, {[]string{"--prefix", "z"}, 0}} {
		var got struct{ Accounts []map[string]any }
		out := s.must(append([]string{"account", "list", "-o", "json"}, c.args...)...)
		if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Accounts) != c.want || got.Accounts == nil {
			t.Errorf("%q: %v\n%s", c.args, err, out)
		}
	}
}

// A ledger's own accounts have no floor, so tables show none, nor what would be available above it.
func TestSystemAccountsShowNoFloor(t *testing.T) {
	f, s := start(t)
	system := f.open("@usd/credits", -700, 0)
	system.System, system.Floor, system.Available = true, math.MinInt64, math.MaxInt64
	f.open("alice", 700, -100)
	for _, verb := range [][]string{{"list", "--system"}, {"get", "@usd/credits", "alice"}} {
		table := s.must(append([]string{"account"}, verb...)...)
		if !regexp.MustCompile(`@usd/credits +usd +-7.00 +0.00 +- +- +- +1 +system\n`).MatchString(table) ||
			!regexp.MustCompile(`alice +usd +7.00 +0.00 +-1.00 +- +8.00 `).MatchString(table) {
			t.Errorf("%q:\n%s", verb, table)
		}
		if json := s.must(append([]string{"account", "-o", "json"}, verb...)...); !strings.Contains(json, `"floor_units": "-9223372036854775808"`) {
			t.Errorf("%q:\n%s", verb, json)
		}
	}
}

func TestOperationGet(t *testing.T) {
	f, s := start(t)
	f.open("alice", 0, 0)
	s.must("credit", "alice", "5", "--id", "one", "--issued-at", "2026-01-01T00:00:00Z")
	if got := s.must("operation", "get", "one", "-o", "csv"); !strings.Contains(got, "\none,applied,1,1,,0,500,,500,,,\n") {
		t.Errorf("%s", got)
	}
	r := s.run("operation", "get", "one")
	if r.code != exitDone || !strings.HasPrefix(r.out, "OPERATION  RESULT   ATTEMPT  SEQUENCE  DEBIT POSTED UNITS  CREDIT POSTED UNITS  AVAILABLE UNITS\n") ||
		!strings.Contains(r.err, "minor units") {
		t.Errorf("%+v", r)
	}
	s.run("debit", "alice", "20", "--id", "two")
	if got := s.must("operation", "get", "two"); !regexp.MustCompile(`^OPERATION  RESULT +ATTEMPT  ACCOUNT  LEDGER  ASKED  AVAILABLE\ntwo .* usd +20.00 +5.00\n$`).MatchString(got) {
		t.Errorf("%s", got)
	}
}

func TestImportEndsWithReport(t *testing.T) {
	f, s := start(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "rows.csv")
	content := "nr,who,what,how_much,then\n1,alice,credit,10.00,10.00\n2,alice,debit,2.50,7.50\n3,alice,debit,50.00,-42.50\n4,alice,credit,1.00,9.00\n"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	command := []string{
		"import", path, "--ledger", "usd", "--id", "nr", "--account", "who", "--kind", "what", "--amount", "how_much", "--expect", "then",
		"--create-accounts", "--floor", "-1", "--report", filepath.Join(dir, "report.json"), "-o", "json",
	}
	r := s.run(command...)
	var report struct {
		Applied, Refused, Differing int
		AlreadyApplied              int            `json:"already_applied"`
		RefusedReasons              map[string]int `json:"refused_reasons"`
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != exitFailed {
		t.Fatalf("%v: %+v", err, r)
	}
	if report.Applied != 3 || report.Refused != 1 || report.Differing != 1 || report.RefusedReasons["insufficient_funds"] != 1 {
		t.Errorf("%+v", report)
	}
	for _, want := range []string{
		"line 4: debit of 50.00 to account alice refused: insufficient_funds (asked 50.00, available 8.50)",
		"line 5: account alice: balance 8.50, expected 9.00",
		"error: 1 rows refused, 1 differ",
	} {
		if !strings.Contains(r.err, want) {
			t.Errorf("stderr lacks %q:\n%s", want, r.err)
		}
	}
	if saved, err := os.ReadFile(filepath.Join(dir, "report.json")); err != nil || string(saved) != r.out {
		t.Errorf("report file: %v\n%s", err, saved)
	}
	if f.accounts["alice"].GetFloor() != -100 {
		t.Errorf("%v", f.accounts["alice"])
	}

	broken := filepath.Join(dir, "broken.csv")
	if err := os.WriteFile(broken, []byte(content+"5,alice,credit,ten,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sent := len(f.sent)
	command[1] = broken
	r = s.run(command...)
	if r.code != exitFailed || !strings.Contains(r.err, `line 6: amount: not a decimal number: "ten"`) || len(f.sent) != sent {
		t.Errorf("%+v", r)
	}
	saved, err := os.ReadFile(filepath.Join(dir, "report.json"))
	for _, want := range []string{`"rows": 5,`, `"skipped": 1,`, `"not_sent": 4,`, `"line": 6,`} {
		if err != nil || !strings.Contains(string(saved), want) {
			t.Errorf("report of a file with a bad row lacks %s: %v\n%s", want, err, saved)
		}
	}
	if strings.Contains(string(saved), "issued_at") {
		t.Errorf("a stamp that was not made: %s", saved)
	}
}

func TestVersionFlag(t *testing.T) {
	s := &session{t: t, endpoint: "127.0.0.1:1"}
	if got := s.must("--version"); got != "ballast "+version.String()+"\n" {
		t.Errorf("%q", got)
	}
}

// Every verb has an example, and a short text that fits a line.
func TestEveryVerbHasHelp(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			walk(child)
		}
		if cmd.HasSubCommands() || cmd.Hidden {
			return
		}
		if cmd.Example == "" || cmd.Short == "" || len(cmd.Short) > 72 || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: short %q, example %q", cmd.CommandPath(), cmd.Short, cmd.Example)
		}
		if !strings.Contains(cmd.Example, "ballast "+strings.TrimPrefix(cmd.CommandPath(), "ballast ")) {
			t.Errorf("%s: the example shows something else: %q", cmd.CommandPath(), cmd.Example)
		}
		for line := range strings.Lines(cmd.Long) {
			if len(line) > 110 {
				t.Errorf("%s: a line of %d characters: %q", cmd.CommandPath(), len(line), line)
			}
		}
	}
	walk(newRoot(&app{}))
}

// testdata/help.txt is what people see; UPDATE_GOLDEN=1 writes it anew.
func TestHelpGolden(t *testing.T) {
	for _, name := range []string{"BALLAST_ENDPOINTS", "BALLAST_CA", "BALLAST_CERT", "BALLAST_KEY"} {
		t.Setenv(name, "")
	}
	var got strings.Builder
	var walk func(cmd *cobra.Command, path []string)
	walk = func(cmd *cobra.Command, path []string) {
		var out bytes.Buffer
		if code := run(t.Context(), append(path, "--help"), stdio{out: &out, err: &out}); code != exitDone {
			t.Errorf("%q --help: exit %d", path, code)
		}
		fmt.Fprintf(&got, "==== ballast %s\n%s\n", strings.Join(path, " "), out.String())
		for _, child := range cmd.Commands() {
			walk(child, append(path[:len(path):len(path)], child.Name()))
		}
	}
	walk(newRoot(&app{}), nil)
	golden(t, "help.txt", got.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; UPDATE_GOLDEN=1 go test writes it anew:\n%s", path, got)
	}
}

// TestSeveralOptionalArguments: a last name in brackets that ends in "..." stands for none, one or more.
func TestSeveralOptionalArguments(t *testing.T) {
	cmd := newAccountCapCommand(&app{})
	for _, given := range [][]string{{"alice"}, {"alice", "1.00/1h"}, {"alice", "1.00/1h", "5.00/24h"}} {
		if err := cmd.Args(cmd, given); err != nil {
			t.Errorf("%q: %v", given, err)
		}
	}
	if err := cmd.Args(cmd, nil); err == nil {
		t.Error("no account, and no error")
	}
}
