package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// stocked is a member with two ledgers and so many accounts of the first, each with a balance of its own.
func stocked(t *testing.T, accounts int, change func(*BooksConfig)) (*member, ballastv1.BooksServiceClient) {
	t.Helper()
	m := newMember(t, nil)
	ops := []*ballastv1.Operation{
		op("l1", &ballastv1.CreateLedger{Name: "usd", Asset: "USD", Scale: 2}), op("l2", &ballastv1.CreateLedger{Name: "min", Asset: "minutes"}),
		op("m", &ballastv1.CreateAccount{Account: "minutes", Ledger: "min"}),
	}
	for i := range accounts {
		id := fmt.Sprintf("account-%04d", i)
		ops = append(ops, op("o"+id, &ballastv1.CreateAccount{Account: id, Ledger: "usd"}), credit("c"+id, id, int64(i+1)))
	}
	m.applied(t, ops...)
	cfg := BooksConfig{Raft: m.raft, Store: m.fsm, Gate: m.gate, Logger: hclog.NewNullLogger(), ClusterID: testCluster, Member: "a"}
	if change != nil {
		change(&cfg)
	}
	return m, ballastv1.NewBooksServiceClient(serveBooks(t, NewBooks(cfg)))
}

func (m *member) applied(t *testing.T, ops ...*ballastv1.Operation) {
	t.Helper()
	for some := range slices.Chunk(ops, 5000) {
		r, err := m.money.Submit(testContext(t), &ballastv1.SubmitRequest{Operations: some})
		if err != nil {
			t.Fatal(err)
		}
		for i, result := range r.GetResults() {
			if result.GetCode() != ballastv1.ResultCode_RESULT_CODE_APPLIED {
				t.Fatalf("operation %q: %v", some[i].GetId(), result)
			}
		}
	}
}

// serveBooks serves the books service alone.
func serveBooks(t *testing.T, books *Books) *grpc.ClientConn {
	t.Helper()
	return serveOn(t, hclog.NewNullLogger(), func(s *grpc.Server) { ballastv1.RegisterBooksServiceServer(s, books) })
}

// exported is what came of an export, and how it ended.
type exported struct {
	head     *ballastv1.BooksHead
	accounts []*ballastv1.Account
	entries  []*ballastv1.Entry
	rows     *uint64
	err      error
}

func exportAccounts(t *testing.T, b ballastv1.BooksServiceClient, r *ballastv1.ExportAccountsRequest) (got exported) {
	stream, err := b.ExportAccounts(testContext(t), r)
	for err == nil {
		var piece *ballastv1.ExportAccountsResponse
		if piece, err = stream.Recv(); err == nil {
			got.accounts, got.rows = append(got.accounts, piece.GetAccounts()...), piece.Rows
			if h := piece.GetHead(); h != nil {
				got.head = h
			}
		}
	}
	if got.err = err; errors.Is(err, io.EOF) {
		got.err = nil
	}
	return got
}

func exportEntries(t *testing.T, b ballastv1.BooksServiceClient, r *ballastv1.ExportEntriesRequest) (got exported) {
	stream, err := b.ExportEntries(testContext(t), r)
	for err == nil {
		var piece *ballastv1.ExportEntriesResponse
		if piece, err = stream.Recv(); err == nil {
			got.entries, got.rows = append(got.entries, piece.GetEntries()...), piece.Rows
			if h := piece.GetHead(); h != nil {
				got.head = h
			}
		}
	}
	if got.err = err; errors.Is(err, io.EOF) {
		got.err = nil
	}
	return got
}

// TestExportAccounts: all of them at one index, in pieces, filtered; what is changed beside it is not seen.
func TestExportAccounts(t *testing.T) {
	const n = 1200
	var m *member
	moved := false
	m, b := stocked(t, n, func(c *BooksConfig) {
		c.Pace = func(_ context.Context, bytes int) error {
			if bytes > 1000 && !moved { // the first piece with rows
				moved = true
				m.applied(t, credit("late", "account-1199", 1_000_000))
			}
			return nil
		}
	})
	got := exportAccounts(t, b, &ballastv1.ExportAccountsRequest{Ledger: "usd"})
	if got.err != nil || len(got.accounts) != n || got.rows == nil || *got.rows != n || !moved {
		t.Fatalf("%d accounts, %v rows, %v", len(got.accounts), got.rows, got.err)
	}
	for i, a := range got.accounts {
		if a.GetPosted() != int64(i+1) || a.GetScale() != 2 || a.GetLedger() != "usd" {
			t.Fatalf("account %d: %v", i, a)
		}
	}
	if h := got.head; h.GetClusterId() != testCluster || h.GetMember() != "a" || h.GetIndex() == 0 || h.GetSequence() != 3+2*n || h.GetExpectedRows() != n+5 {
		t.Errorf("head %v", h)
	}
	if got := exportAccounts(t, b, &ballastv1.ExportAccountsRequest{IncludeSystem: true}); got.err != nil || len(got.accounts) != n+5 {
		t.Errorf("with system accounts and both ledgers %d, %v; want %d", len(got.accounts), got.err, n+5)
	}
}

// TestExportEntries: all of them in order, and parts; each with what its amounts count.
func TestExportEntries(t *testing.T) {
	_, b := stocked(t, 1000, nil)
	all := exportEntries(t, b, &ballastv1.ExportEntriesRequest{})
	if all.err != nil || len(all.entries) != 2003 || *all.rows != 2003 || all.head.GetExpectedRows() != 2003 {
		t.Fatalf("%d entries, %v", len(all.entries), all.err)
	}
	for i, e := range all.entries {
		if e.GetSequence() != uint64(i+1) {
			t.Fatalf("entry %d is %v", i+1, e)
		}
	}
	if e := all.entries[2002]; e.GetLedger() != "usd" || e.GetScale() != 2 || e.GetAmount() != 1000 || e.GetCreditAccount() != "account-0999" {
		t.Errorf("the last is %v", e)
	}
	for _, c := range []struct {
		r           *ballastv1.ExportEntriesRequest
		first, rows uint64
	}{
		{&ballastv1.ExportEntriesRequest{AfterSequence: 2000}, 2001, 3},
		{&ballastv1.ExportEntriesRequest{AfterSequence: 10, UntilSequence: 15}, 11, 5},
		{&ballastv1.ExportEntriesRequest{Ledger: "min"}, 2, 2},
		{&ballastv1.ExportEntriesRequest{AfterSequence: 5000}, 0, 0},
	} {
		got := exportEntries(t, b, c.r)
		if got.err != nil || uint64(len(got.entries)) != c.rows || *got.rows != c.rows || c.rows > 0 && got.entries[0].GetSequence() != c.first {
			t.Errorf("%v: %d entries, %v", c.r, len(got.entries), got.err)
		}
	}
}

// TestExportsAreRefused where they would cost callers, or cannot be what is asked.
func TestExportsAreRefused(t *testing.T) {
	m, b := stocked(t, 3, func(c *BooksConfig) { c.Catch = 10 * time.Millisecond })
	want := func(what string, err error, code codes.Code, says ...string) {
		t.Helper()
		t.Run(what, func(t *testing.T) { wantOperator(t, err, code, says...) })
	}
	want("a ledger's name", exportAccounts(t, b, &ballastv1.ExportAccountsRequest{Ledger: "US D"}).err, codes.InvalidArgument, "ledger")
	want("no such ledger", exportEntries(t, b, &ballastv1.ExportEntriesRequest{Ledger: "eur"}).err, codes.NotFound, "eur")
	want("an index to come", exportAccounts(t, b, &ballastv1.ExportAccountsRequest{LeastIndex: 1 << 40}).err, codes.FailedPrecondition, "ask another one")
	m.raft.with(func(r *fakeRaft) {
		r.configuration = raft.Configuration{Servers: []raft.Server{{ID: "a"}, {ID: "b"}}}
	})
	want("a leader of others", exportAccounts(t, b, &ballastv1.ExportAccountsRequest{}).err, codes.FailedPrecondition, "this member leads")
	if got := exportEntries(t, b, &ballastv1.ExportEntriesRequest{FromLeader: true}); got.err != nil {
		t.Errorf("allowed to: %v", got.err)
	}
	m.gate.Condemn("the state is wrong")
	want("a condemned state", exportEntries(t, b, &ballastv1.ExportEntriesRequest{FromLeader: true}).err, codes.Unavailable, "the state is wrong")
}

// TestExportsTakeTurns: a second one is refused while the first is under way; a caller that takes nothing loses its place and what
// is kept for it; more changes than may be kept end it.
func TestExportsTakeTurns(t *testing.T) {
	m, b := stocked(t, 10_000, func(c *BooksConfig) { c.Idle, c.Preserve = 200*time.Millisecond, 1000 })
	idle, err := b.ExportAccounts(testContext(t), &ballastv1.ExportAccountsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := idle.Recv(); err != nil {
		t.Fatal(err)
	}
	wantOperator(t, exportAccounts(t, b, &ballastv1.ExportAccountsRequest{}).err, codes.ResourceExhausted, "gives books to others")
	var got exported
	for got = exportAccounts(t, b, &ballastv1.ExportAccountsRequest{}); got.err != nil && testContext(t).Err() == nil; {
		got = exportAccounts(t, b, &ballastv1.ExportAccountsRequest{})
	}
	if got.err != nil || len(got.accounts) != 10_001 {
		t.Fatalf("once the first is given up: %d accounts, %v", len(got.accounts), got.err)
	}
	for err = nil; err == nil; {
		_, err = idle.Recv()
	}
	wantOperator(t, err, codes.Unavailable, "nothing of it was taken for too long")

	slow, err := b.ExportAccounts(testContext(t), &ballastv1.ExportAccountsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Recv(); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		m.applied(t, credit(fmt.Sprint("late", i), fmt.Sprintf("account-%04d", 9_900+i), 1))
	}
	for err = nil; err == nil; {
		_, err = slow.Recv()
	}
	wantOperator(t, err, codes.Unavailable, "more changed while the accounts were read")
}

// TestExportsEndWithTheMember: one that is under way does not hold up a member that stops.
func TestExportsEndWithTheMember(t *testing.T) {
	m, b := stocked(t, 10_000, nil)
	stream, err := b.ExportEntries(testContext(t), &ballastv1.ExportEntriesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	m.gate.Close()
	for err = nil; err == nil; {
		_, err = stream.Recv()
	}
	wantOperator(t, err, codes.Unavailable, "shutting down")
}
