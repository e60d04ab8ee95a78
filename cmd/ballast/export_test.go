package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

var fakeHead = &ballastv1.BooksHead{ClusterId: "c1", Member: "node-2", Index: 17, LogTime: fakeTime, Sequence: 100}

// ExportAccounts gives the accounts that the fake has, one at a time, and then fails where it should.
func (f *fakeCluster) ExportAccounts(r *ballastv1.ExportAccountsRequest, stream grpc.ServerStreamingServer[ballastv1.ExportAccountsResponse]) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	pieces := []*ballastv1.ExportAccountsResponse{{Head: fakeHead}}
	for _, id := range f.order {
		if a := f.accounts[id]; r.GetLedger() == "" || a.GetLedger() == r.GetLedger() {
			pieces = append(pieces, &ballastv1.ExportAccountsResponse{Accounts: []*ballastv1.Account{a}})
		}
	}
	last := &ballastv1.ExportAccountsResponse{Rows: proto.Uint64(uint64(len(pieces) - 1))}
	for _, piece := range append(pieces, last) {
		if piece == last && f.fail != nil {
			return f.fail
		}
		if err := stream.Send(piece); err != nil {
			return err
		}
	}
	return nil
}

// ExportEntries gives the entries that the fake has, in one piece.
func (f *fakeCluster) ExportEntries(r *ballastv1.ExportEntriesRequest, stream grpc.ServerStreamingServer[ballastv1.ExportEntriesResponse]) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	piece := &ballastv1.ExportEntriesResponse{}
	for _, e := range f.entries {
		if e.GetSequence() > r.GetAfterSequence() && (r.GetUntilSequence() == 0 || e.GetSequence() <= r.GetUntilSequence()) {
			piece.Entries = append(piece.Entries, e)
		}
	}
	for _, p := range []*ballastv1.ExportEntriesResponse{{Head: fakeHead}, piece, {Rows: proto.Uint64(uint64(len(piece.Entries)))}} {
		if err := stream.Send(p); err != nil {
			return err
		}
	}
	return nil
}

// booksSession is a session with a member that gives books.
func booksSession(t *testing.T) (*fakeCluster, *session) {
	t.Helper()
	f, address := startFake(t)
	f.status = &ballastv1.StatusResponse{Name: "node-2", RaftState: ballastv1.RaftState_RAFT_STATE_FOLLOWER}
	f.open("alice", 0, 0)
	f.open("bob", 0, 0)
	s := &session{t: t, endpoint: address}
	s.must("credit", "alice", "12.50", "--reference", "order 1")
	s.must("credit", "bob", "3")
	s.must("credit", "alice", "0.30")
	return f, s
}

// TestExportFile: the file appears when all of it came, replaces nothing unasked, and nothing is left of one that broke off.
func TestExportFile(t *testing.T) {
	f, s := booksSession(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "balances.csv")
	only := func(want ...string) {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || strings.Join(names, " ") != strings.Join(want, " ") {
			t.Errorf("there is %q, %v; want %q", names, err, want)
		}
	}
	f.fail = status.Error(codes.Unavailable, "the member stops")
	if r := s.run("export", "accounts", file); r.code != exitUnavailable || !strings.Contains(r.err, "broke off after 2 rows") || !strings.Contains(r.err, "the member stops") {
		t.Errorf("an export that breaks off: exit %d\n%s%s", r.code, r.out, r.err)
	}
	only()
	f.fail = nil
	if out := s.must("export", "accounts", file, "-o", "json"); !strings.Contains(out, `"rows": 2`) || !strings.Contains(out, `"index": 17`) {
		t.Errorf("the summary is %s", out)
	}
	want := "account,ledger,posted,held,floor,ceiling,available,version,last_sequence,flags\n" +
		"alice,usd,12.80,0.00,0.00,,12.80,3,0,\nbob,usd,3.00,0.00,0.00,,3.00,2,0,\n" +
		"# whole: accounts, 2 rows, index 17, sequence 100, log time 2023-11-14T22:13:20Z, cluster c1\n"
	check := func(want string) {
		t.Helper()
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("the file has\n%s\nwant\n%s\n%v", got, want, err)
		}
	}
	check(want)
	only(file)
	if r := s.run("export", "accounts", file); r.code != exitFailed || !strings.Contains(r.err, "exists and is kept") {
		t.Errorf("over a file that is there: exit %d, %s", r.code, r.err)
	}
	f.fail = status.Error(codes.Unavailable, "the member stops")
	s.run("export", "accounts", file, "--force")
	check(want)
	only(file)
	f.fail = nil
	s.must("export", "accounts", file, "--force", "--bare")
	check(want[:strings.Index(want, "#")])
}

func TestExportToStandardOutput(t *testing.T) {
	_, s := booksSession(t)
	r := s.run("export", "entries", "-", "--format", "ndjson", "--after", "1")
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], `{"sequence":2,`) || !strings.Contains(lines[2], `"whole":true,"export":"entries","rows":2`) {
		t.Errorf("standard output:\n%s", r.out)
	}
	if !strings.Contains(r.err, "2 entries at index 17, from node-2") {
		t.Errorf("standard error: %s", r.err)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"export", "accounts", "-", "--bare"}, "--bare"},
		{[]string{"export", "accounts", "-", "--format", "xml"}, "unknown format"},
		{[]string{"export", "entries", "-", "--after", "5", "--until", "5"}, "--until 5"},
		{[]string{"export", "entries"}, "FILE is missing"},
		{[]string{"export"}, ""},
	} {
		if r := s.run(c.args...); r.code != exitUsage || !strings.Contains(r.err, c.says) {
			t.Errorf("%q: exit %d, %s", c.args, r.code, r.err)
		}
	}
	if got := s.run("export", "accounts", "-", "--ledger", "usd", "--format", "csv").out; strings.Count(got, "\n") != 4 {
		t.Errorf("CSV:\n%s", got)
	}
	if r := s.run("export", "accounts", "-", "--from", "node-9", "--timeout", "100ms"); r.code != exitUnavailable || !strings.Contains(r.err, `expected member "node-9"`) {
		t.Errorf("of a member that is not there: exit %d, %s", r.code, r.err)
	}
}

// TestReconcile: what differs is told with its entries, and scripts know by the exit code.
func TestReconcile(t *testing.T) {
	_, s := booksSession(t)
	file := filepath.Join(t.TempDir(), "book.csv")
	book := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	base := []string{"reconcile", file, "--ledger", "usd"}
	for _, c := range []struct {
		what, book string
		args       []string
		code       int
		says       string
	}{
		{"equal", "account,balance\nalice,12.80\nbob,3\n", nil, exitDone, "all agree"},
		{"tolerated", "account,balance\nalice,12.50\nbob,3\n", []string{"--tolerance", "0.30"}, exitDone, "all agree, 1 of them within the tolerance"},
		{"different", "account,balance\nalice,12.50\nbob,3\n", nil, exitDiffers, "1 entries since both agreed at entry 1"},
		{"as of an entry", "account,balance\nalice,12.50\nbob,3\n", []string{"--at", "2"}, exitDone, "compared as of entry 2"},
		{"for programs", "account,balance\nalice,12.50\n", []string{"-o", "csv"}, exitDiffers, "alice,differs,12.80,12.50,0.30,1,1,3\nbob,missing_there,3.00,,3.00,,0,2\n"},
		{"not a number", "account,balance\nalice,x\n", nil, exitNotCompared, "line 2"},
		{"no such column", "account,sum\nalice,x\n", nil, exitNotCompared, `no column "balance"`},
		{"no such ledger", "account,balance\n", []string{"--ledger", "eur"}, exitNotCompared, "eur"},
		{"tolerance", "account,balance\n", []string{"--tolerance", "0.001"}, exitUsage, "too many decimals"},
		{"less tolerance", "account,balance\n", []string{"--tolerance=-1"}, exitUsage, "must not be negative"},
		{"both books", "account,balance\n", []string{"--postgres", "host=x", "--query", "y"}, exitUsage, "one of both"},
		{"of what", "account,balance\n", []string{"--of", "sums"}, exitUsage, "posted, held or available"},
		{"held of the past", "account,balance\n", []string{"--of", "held", "--at", "1"}, exitNotCompared, "of the past are not known"},
	} {
		book(c.book)
		if r := s.run(append(base, c.args...)...); r.code != c.code || !strings.Contains(r.out+r.err, c.says) {
			t.Errorf("%s: exit %d, want %d and %q:\n%s%s", c.what, r.code, c.code, c.says, r.out, r.err)
		}
	}
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"reconcile", file}, exitUsage},
		{[]string{"reconcile", "--ledger", "usd"}, exitUsage},
		{[]string{"reconcile", "--ledger", "usd", "--postgres", "host=/nonexistent"}, exitUsage},
		{[]string{"reconcile", "--ledger", "usd", "--postgres", "host=/nonexistent", "--query", "SELECT 1, 2"}, exitNotCompared},
		{[]string{"reconcile", filepath.Join(t.TempDir(), "none"), "--ledger", "usd"}, exitNotCompared},
	} {
		if r := s.run(c.args...); r.code != c.code {
			t.Errorf("%q: exit %d, want %d: %s", c.args, r.code, c.code, r.err)
		}
	}
}

// TestReconcileUnavailable: a cluster that cannot be asked is no difference.
func TestReconcileUnavailable(t *testing.T) {
	f, s := booksSession(t)
	s.in = "account,balance\nalice,12.80\nbob,3\n"
	if r := s.run("reconcile", "-", "--ledger", "usd"); r.code != exitDone {
		t.Errorf("from standard input: exit %d, %s", r.code, r.err)
	}
	f.failRead = status.Error(codes.Unavailable, "no leader")
	if r := s.run("reconcile", "-", "--ledger", "usd", "--timeout", "200ms"); r.code != exitUnavailable {
		t.Errorf("without a leader: exit %d, %s", r.code, r.err)
	}
}
