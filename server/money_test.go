package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/proposal"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// op is an operation issued at the test's time.
func op(id string, kind any) *ballastv1.Operation {
	o := &ballastv1.Operation{Id: id, Attempt: 1, IssuedAt: time.Unix(1_800_000_000, 0).UnixNano()}
	switch k := kind.(type) {
	case *ballastv1.Credit:
		o.Kind = &ballastv1.Operation_Credit{Credit: k}
	case *ballastv1.Debit:
		o.Kind = &ballastv1.Operation_Debit{Debit: k}
	case *ballastv1.Transfer:
		o.Kind = &ballastv1.Operation_Transfer{Transfer: k}
	case *ballastv1.CreateLedger:
		o.Kind = &ballastv1.Operation_CreateLedger{CreateLedger: k}
	case *ballastv1.CreateAccount:
		o.Kind = &ballastv1.Operation_CreateAccount{CreateAccount: k}
	case *ballastv1.SetLimits:
		o.Kind = &ballastv1.Operation_SetLimits{SetLimits: k}
	case *ballastv1.SetFrozen:
		o.Kind = &ballastv1.Operation_SetFrozen{SetFrozen: k}
	case *ballastv1.CloseAccount:
		o.Kind = &ballastv1.Operation_CloseAccount{CloseAccount: k}
	case *ballastv1.SetVelocity:
		o.Kind = &ballastv1.Operation_SetVelocity{SetVelocity: k}
	case *ballastv1.SetLowBalance:
		o.Kind = &ballastv1.Operation_SetLowBalance{SetLowBalance: k}
	case *ballastv1.TransferUpTo:
		o.Kind = &ballastv1.Operation_TransferUpTo{TransferUpTo: k}
	case *ballastv1.Reverse:
		o.Kind = &ballastv1.Operation_Reverse{Reverse: k}
	case *ballastv1.Hold:
		o.Kind = &ballastv1.Operation_Hold{Hold: k}
	case *ballastv1.CaptureHold:
		o.Kind = &ballastv1.Operation_CaptureHold{CaptureHold: k}
	case *ballastv1.VoidHold:
		o.Kind = &ballastv1.Operation_VoidHold{VoidHold: k}
	case *ballastv1.ExtendHold:
		o.Kind = &ballastv1.Operation_ExtendHold{ExtendHold: k}
	case *ballastv1.SetTopUpPolicy:
		o.Kind = &ballastv1.Operation_SetTopUpPolicy{SetTopUpPolicy: k}
	case *ballastv1.LeaseTopUp:
		o.Kind = &ballastv1.Operation_LeaseTopUp{LeaseTopUp: k}
	case *ballastv1.SettleTopUp:
		o.Kind = &ballastv1.Operation_SettleTopUp{SettleTopUp: k}
	}
	return o
}

func linked(o *ballastv1.Operation) *ballastv1.Operation { o.Linked = true; return o }

func credit(id, account string, amount int64) *ballastv1.Operation {
	return op(id, &ballastv1.Credit{Account: account, Amount: amount})
}

func debit(id, account string, amount int64) *ballastv1.Operation {
	return op(id, &ballastv1.Debit{Account: account, Amount: amount})
}

// codesOf are the codes of results, without their common prefix.
func codesOf(results []*ballastv1.Result) string {
	var list []string
	for _, r := range results {
		list = append(list, strings.TrimPrefix(r.GetCode().String(), "RESULT_CODE_"))
	}
	return strings.Join(list, " ")
}

func (m *member) submit(t *testing.T, want string, operations ...*ballastv1.Operation) []*ballastv1.Result {
	t.Helper()
	r, err := m.money.Submit(testContext(t), &ballastv1.SubmitRequest{Operations: operations})
	if err != nil {
		t.Fatal(err)
	}
	if got := codesOf(r.GetResults()); got != want {
		t.Fatalf("results are %s, want %s", got, want)
	}
	return r.GetResults()
}

// open makes ledger usd and accounts in it.
func (m *member) open(t *testing.T, accounts ...string) {
	t.Helper()
	operations := []*ballastv1.Operation{op("ledger", &ballastv1.CreateLedger{Name: "usd", Asset: "USD", Scale: 2})}
	for _, a := range accounts {
		operations = append(operations, op("open-"+a, &ballastv1.CreateAccount{Account: a, Ledger: "usd"}))
	}
	m.submit(t, strings.TrimSpace(strings.Repeat("APPLIED ", len(operations))), operations...)
}

// failureOf is the Failure in the details of a gRPC error.
func failureOf(t *testing.T, err error, code codes.Code) *ballastv1.Failure {
	t.Helper()
	s := status.Convert(err)
	if s.Code() != code {
		t.Fatalf("error is %v, want code %v", err, code)
	}
	for _, d := range s.Details() {
		if f, ok := d.(*ballastv1.Failure); ok {
			return f
		}
	}
	t.Fatalf("error %v has no Failure in its details", err)
	return nil
}

func TestSubmitAnswersEachOperation(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice", "bob")
	results := m.submit(t, "APPLIED INSUFFICIENT_FUNDS APPLIED UNKNOWN_ACCOUNT",
		credit("c1", "alice", 500), debit("d1", "bob", 7),
		op("t1", &ballastv1.Transfer{DebitAccount: "alice", CreditAccount: "bob", Amount: 200}),
		op("t2", &ballastv1.Transfer{DebitAccount: "bob", CreditAccount: "nobody", Amount: 1}))
	if r := results[0]; r.GetCreditPosted() != 500 || r.GetAvailable() != 500 || r.GetSequence() == 0 {
		t.Errorf("credit answered %v", r)
	}
	if r := results[1]; r.GetAccount() != "bob" || r.GetAsked() != 7 || r.GetAvailable() != 0 {
		t.Errorf("refused debit answered %v, want account, asked and available", r)
	}
	if r := results[2]; r.GetDebitPosted() != 300 || r.GetCreditPosted() != 200 {
		t.Errorf("transfer answered %v", r)
	}
	if r := results[3]; r.GetAccount() != "nobody" {
		t.Errorf("transfer to an unknown account answered %v, want which one", r)
	}
	if again := m.submit(t, "APPLIED", credit("c1", "alice", 500)); !again[0].GetReplayed() {
		t.Error("a retry is not marked as a replay")
	}
	m.submit(t, "GROUP_REFUSED INSUFFICIENT_FUNDS", linked(credit("g1", "bob", 1)), debit("g2", "alice", 1000))
}

func TestSubmitNamesTheFieldAtFault(t *testing.T) {
	m := newMember(t, nil)
	group := make([]*ballastv1.Operation, ledger.MaxGroup+1)
	for i := range group {
		group[i] = linked(credit(fmt.Sprint("g", i), "x", 1))
	}
	group[len(group)-1].Linked = false
	many := make([]*ballastv1.Operation, ledger.MaxBatch+1)
	for i := range many {
		many[i] = credit(fmt.Sprint("m", i), "x", 1)
	}
	big := make([]*ballastv1.Operation, 7000)
	for i := range big {
		big[i] = credit(fmt.Sprintf("%063d", i), strings.Repeat("x", 60), 1)
		big[i].Reference = strings.Repeat("r", 60)
	}
	early := credit("e", "x", 1)
	early.IssuedAt = 0
	ahead := credit("f", "x", 1)
	ahead.IssuedAt += int64(2 * time.Hour)
	for name, c := range map[string]struct {
		operations []*ballastv1.Operation
		says       []string
	}{
		"none":              {nil, []string{"operations", "1 to 8000", "found 0"}},
		"too many":          {many, []string{"operations", "found 8001"}},
		"too large":         {big, []string{"operations", "bytes"}},
		"no id":             {[]*ballastv1.Operation{credit("a", "x", 1), credit("", "x", 1)}, []string{"operations[1].id", `found ""`}},
		"no issue time":     {[]*ballastv1.Operation{early}, []string{"operations[0].issued_at", "found 0"}},
		"issued far ahead":  {[]*ballastv1.Operation{ahead}, []string{"operations[0].issued_at", "1h0m0s", "found 2h0m0s ahead"}},
		"no kind":           {[]*ballastv1.Operation{op("k", nil)}, []string{"operations[0].kind"}},
		"no amount":         {[]*ballastv1.Operation{debit("d", "x", -5)}, []string{"operations[0].amount", "found -5"}},
		"system account":    {[]*ballastv1.Operation{credit("s", "@usd/debits", 1)}, []string{"operations[0].account", "@usd/debits"}},
		"scale":             {[]*ballastv1.Operation{op("l", &ballastv1.CreateLedger{Name: "x", Asset: "X", Scale: 274})}, []string{"operations[0].scale", "found 274"}},
		"same id twice":     {[]*ballastv1.Operation{credit("a", "x", 1), credit("b", "x", 1), credit("a", "x", 2)}, []string{"operations[2].id", "operations[0]"}},
		"group too long":    {group, []string{"operations[1000].linked", "1000"}},
		"group without end": {[]*ballastv1.Operation{linked(credit("a", "x", 1))}, []string{"operations[0].linked", "found true"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.money.Submit(testContext(t), &ballastv1.SubmitRequest{Operations: c.operations})
			if f := failureOf(t, err, codes.InvalidArgument); f.GetOutcome() != isNotDone {
				t.Errorf("outcome is %v", f.GetOutcome())
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q: %v", part, err)
				}
			}
		})
	}
}

// Log time may be ahead of this member's clock, moved by an earlier leader's. Callers follow log time, so they must not be
// refused for that until the clock has come up.
func TestIssueTimeIsJudgedByLogTimeToo(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "x")
	ahead := m.now.Add(48 * time.Hour).UnixNano()
	if err := m.raft.Apply(proposal.EncodeMarker(ahead, m.fsm.ClusterVersion(), 5), 0).Error(); err != nil {
		t.Fatal(err)
	}
	byLogTime := credit("a", "x", 1)
	byLogTime.IssuedAt = ahead
	m.submit(t, "APPLIED", byLogTime)
	byLogTime.Id, byLogTime.IssuedAt = "b", ahead+int64(2*time.Hour)
	_, err := m.money.Submit(testContext(t), &ballastv1.SubmitRequest{Operations: []*ballastv1.Operation{byLogTime}})
	if failureOf(t, err, codes.InvalidArgument); !strings.Contains(err.Error(), "found 2h0m0s ahead") {
		t.Errorf("got %v", err)
	}
}

func TestFollowerNamesTheLeader(t *testing.T) {
	m := newMember(t, nil)
	if err := NewProposerOf(m).Announce(testContext(t), rosterMember(idB)); err != nil {
		t.Fatal(err)
	}
	m.raft.with(func(r *fakeRaft) { r.state, r.leader = raft.Follower, voter(idB) })
	_, err := m.money.Submit(testContext(t), &ballastv1.SubmitRequest{Operations: []*ballastv1.Operation{credit("a", "x", 1)}})
	hint := failureOf(t, err, codes.FailedPrecondition).GetLeader()
	if hint.GetName() != "b" || hint.GetClientAddress() != rosterMember(idB).ClientAddress {
		t.Errorf("hint is %v, want b and its client address", hint)
	}
	m.raft.with(func(r *fakeRaft) { r.leader = raft.Server{} })
	_, err = m.money.GetAccounts(testContext(t), &ballastv1.GetAccountsRequest{Ids: []string{"x"}})
	if f := failureOf(t, err, codes.Unavailable); f.GetLeader() != nil || f.GetRetryAfter() == nil {
		t.Errorf("without a leader the failure is %v, want a delay and no hint", f)
	}
}

// NewProposerOf proposes on a member's raft.
func NewProposerOf(m *member) *Proposer {
	return NewProposer(ProposerConfig{
		Raft: m.raft, Stamper: NewStamper(func() time.Time { return m.now }), ClusterVersion: m.fsm.ClusterVersion,
		Open: OpenResponse,
	})
}

func TestReadsTellUnknownFromZero(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice", "zero")
	m.submit(t, "APPLIED APPLIED", credit("c", "alice", 500), op("lim", &ballastv1.SetLimits{Account: "alice", Floor: new(int64(-30)), Ceiling: new(int64(900))}))
	r, err := m.money.GetAccounts(testContext(t), &ballastv1.GetAccountsRequest{Ids: []string{"zero", "nobody", "alice"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.GetAccounts()) != 2 || len(r.GetUnknown()) != 1 || r.GetUnknown()[0] != "nobody" {
		t.Fatalf("got %v", r)
	}
	a := r.GetAccounts()[1]
	if a.GetId() != "alice" || a.GetLedger() != "usd" || a.GetScale() != 2 || a.GetPosted() != 500 || a.GetFloor() != -30 ||
		a.GetCeiling() != 900 || a.GetAvailable() != 530 || a.GetVersion() == 0 || a.GetLastSequence() == 0 {
		t.Errorf("alice is %v", a)
	}
	index, _ := m.fsm.Applied()
	if s := r.GetState(); s.GetIndex() != index || s.GetStale() || s.GetLogTime() == 0 {
		t.Errorf("state of the read is %v, want index %d", s, index)
	}
}

func TestStaleReadsSayHowOldTheyAre(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice")
	stale := &ballastv1.GetAccountsRequest{Ids: []string{"alice"}, Consistency: ballastv1.Consistency_CONSISTENCY_STALE}
	for _, c := range []struct {
		name   string
		change func(*fakeRaft)
		ok     func(age int64) bool
	}{
		{"on the leader", func(*fakeRaft) {}, func(age int64) bool { return age == 0 }},
		{"never heard of one", func(r *fakeRaft) { r.state = raft.Follower }, func(age int64) bool { return age == -1 }},
		{"heard a minute ago", func(r *fakeRaft) { r.contact = time.Now().Add(-time.Minute) }, func(age int64) bool {
			return age >= time.Minute.Nanoseconds() && age < time.Hour.Nanoseconds()
		}},
	} {
		m.raft.with(c.change)
		r, err := m.money.GetAccounts(testContext(t), stale)
		if err != nil {
			t.Fatal(err)
		}
		if s := r.GetState(); !s.GetStale() || s.GetIndex() == 0 || !c.ok(s.GetAge()) || len(r.GetAccounts()) != 1 {
			t.Errorf("%s: got %v", c.name, r)
		}
	}
}

func TestListAccountsByPage(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "b1", "a2", "b2", "a1", "b3")
	list := func(r *ballastv1.ListAccountsRequest) (ids []string) {
		for {
			page, err := m.money.ListAccounts(testContext(t), r)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page.GetAccounts() {
				ids = append(ids, a.GetId())
			}
			if r.PageToken = page.GetNextPageToken(); r.PageToken == "" {
				return ids
			}
		}
	}
	for _, c := range []struct {
		request *ballastv1.ListAccountsRequest
		want    string
	}{
		{&ballastv1.ListAccountsRequest{PageSize: 2}, "[a1 a2 b1 b2 b3]"},
		{&ballastv1.ListAccountsRequest{PageSize: 1, Prefix: "b"}, "[b1 b2 b3]"},
		{&ballastv1.ListAccountsRequest{IncludeSystem: true, Prefix: "@"}, "[@usd/credits @usd/debits]"},
		{&ballastv1.ListAccountsRequest{Ledger: "eur"}, "[]"},
	} {
		if got := fmt.Sprint(list(c.request)); got != c.want {
			t.Errorf("%v lists %s, want %s", c.request, got, c.want)
		}
	}
}

func TestStatementByPage(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice", "bob")
	var operations []*ballastv1.Operation
	for i := range 5 {
		o := op(fmt.Sprint("t", i), &ballastv1.Transfer{DebitAccount: "alice", CreditAccount: "bob", Amount: int64(i + 1)})
		o.Code, o.Reference, o.EventTime = uint32(i), fmt.Sprint("ref", i), int64(i)
		operations = append(operations, credit(fmt.Sprint("c", i), "alice", 100), o)
	}
	m.submit(t, strings.TrimSpace(strings.Repeat("APPLIED ", 10)), operations...)
	var ids []string
	r := &ballastv1.GetStatementRequest{Account: "bob", PageSize: 2}
	for {
		page, err := m.money.GetStatement(testContext(t), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.GetEntries() {
			ids = append(ids, e.GetOperationId())
			if e.GetOperationId() == "t4" && (e.GetDebitAccount() != "alice" || e.GetCreditAccount() != "bob" ||
				e.GetAmount() != 5 || e.GetCreditPosted() != 15 || e.GetCode() != 4 || e.GetReference() != "ref4" || e.GetEventTime() != 4) {
				t.Errorf("entry of t4 is %v", e)
			}
		}
		if r.BeforeSequence = page.GetNextBeforeSequence(); r.BeforeSequence == 0 {
			break
		}
	}
	if got := fmt.Sprint(ids); got != "[t4 t3 t2 t1 t0 open-bob]" {
		t.Errorf("statement is %s", got)
	}
	_, err := m.money.GetStatement(testContext(t), &ballastv1.GetStatementRequest{Account: "nobody"})
	failureOf(t, err, codes.NotFound)
}

// TestStatementSaysWhatIsMissing: a statement that reaches into a hole of the journal is not cut short in silence.
func TestStatementSaysWhatIsMissing(t *testing.T) {
	hole := journal.Hole{After: journal.Position{Sequence: 41}, Until: journal.Position{Sequence: 90}}
	f := statementFailure(testContext(t), "alice", fmt.Errorf("statement: %w", &journal.MissingError{Hole: hole}))
	if f.Code != codes.Unavailable || f.Outcome != isNotDone || f.RetryAfter <= 0 ||
		!strings.Contains(f.Message, "entries 42 to 90 ") || !strings.Contains(f.Message, "another member") {
		t.Errorf("a statement that reaches into a hole fails with %+v", f)
	}
	if f := journalFailure(testContext(t), fmt.Errorf("%w: the state machine has not started", fsm.ErrMissing)); f.Code != codes.Unavailable || f.RetryAfter <= 0 {
		t.Errorf("a read before the start fails with %+v", f)
	}
}

func TestGetOperationAndLedgers(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice")
	m.submit(t, "APPLIED", credit("c", "alice", 500))
	r, err := m.money.GetOperation(testContext(t), &ballastv1.GetOperationRequest{Id: "c"})
	if err != nil || !r.GetKnown() || r.GetResult().GetCreditPosted() != 500 || !r.GetResult().GetReplayed() {
		t.Errorf("operation c is %v, %v", r, err)
	}
	if r, err = m.money.GetOperation(testContext(t), &ballastv1.GetOperationRequest{Id: "d"}); err != nil || r.GetKnown() || r.GetResult() != nil {
		t.Errorf("operation d is %v, %v, want not known", r, err)
	}
	l, err := m.money.ListLedgers(testContext(t), &ballastv1.ListLedgersRequest{})
	if err != nil || len(l.GetLedgers()) != 1 || l.GetLedgers()[0].GetAsset() != "USD" || l.GetLedgers()[0].GetScale() != 2 {
		t.Errorf("ledgers are %v, %v", l, err)
	}
}

func TestReadsRefuseWhatIsOutOfBounds(t *testing.T) {
	m := newMember(t, nil)
	ctx := testContext(t)
	long := strings.Repeat("x", 65)
	for name, call := range map[string]func() error{
		"ids": func() error { _, err := m.money.GetAccounts(ctx, &ballastv1.GetAccountsRequest{}); return err },
		"ids[1]": func() error {
			_, err := m.money.GetAccounts(ctx, &ballastv1.GetAccountsRequest{Ids: []string{"a", long}})
			return err
		},
		"consistency": func() error {
			_, err := m.money.ListLedgers(ctx, &ballastv1.ListLedgersRequest{Consistency: 9})
			return err
		},
		"page_size": func() error {
			_, err := m.money.ListAccounts(ctx, &ballastv1.ListAccountsRequest{PageSize: 1001})
			return err
		},
		"page_token": func() error {
			_, err := m.money.ListAccounts(ctx, &ballastv1.ListAccountsRequest{PageToken: "???"})
			return err
		},
		"ledger": func() error {
			_, err := m.money.ListAccounts(ctx, &ballastv1.ListAccountsRequest{Ledger: "USD"})
			return err
		},
		"id": func() error {
			_, err := m.money.GetOperation(ctx, &ballastv1.GetOperationRequest{Id: long})
			return err
		},
		"account": func() error {
			_, err := m.money.GetStatement(ctx, &ballastv1.GetStatementRequest{})
			return err
		},
	} {
		err := call()
		failureOf(t, err, codes.InvalidArgument)
		if !strings.Contains(err.Error(), name+":") {
			t.Errorf("the error does not name %s: %v", name, err)
		}
	}
}

func TestGateRefusesAtShutdown(t *testing.T) {
	m := newMember(t, nil)
	m.gate.Close()
	_, err := m.money.Submit(testContext(t), &ballastv1.SubmitRequest{Operations: []*ballastv1.Operation{credit("a", "x", 1)}})
	if f := failureOf(t, err, codes.Unavailable); f.GetOutcome() != isNotDone {
		t.Errorf("outcome is %v", f.GetOutcome())
	}
	_, err = m.money.GetAccounts(testContext(t), &ballastv1.GetAccountsRequest{Ids: []string{"x"}})
	failureOf(t, err, codes.Unavailable)
}

func TestCallWithoutDeadlineIsBounded(t *testing.T) {
	m := newMember(t, func(c *MoneyConfig) { c.DefaultTimeout = 50 * time.Millisecond })
	m.raft.with(func(r *fakeRaft) { r.respond = nil })
	_, err := m.money.Submit(t.Context(), &ballastv1.SubmitRequest{Operations: []*ballastv1.Operation{credit("a", "x", 1)}})
	if f := failureOf(t, err, codes.DeadlineExceeded); f.GetOutcome() != isUnknown {
		t.Errorf("outcome is %v, want unknown: it was proposed", f.GetOutcome())
	}
	receive(t, "the proposal", m.raft.proposals).fail(raft.ErrLeadershipLost, 9)
}

// TestRefusalsNameTheirAccount: also where the operation names it by a hold or an entry, and when the answer is looked up.
func TestRefusalsNameTheirAccount(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice", "bob")
	made := m.submit(t, "APPLIED APPLIED APPLIED", credit("c1", "alice", 50),
		op("h1", &ballastv1.Hold{Account: "alice", Amount: 10, Timeout: int64(time.Hour)}), debit("d1", "alice", 40))
	operations := []*ballastv1.Operation{
		op("k1", &ballastv1.CaptureHold{Hold: "h1", Amount: 11}),
		op("r1", &ballastv1.Reverse{Sequence: made[0].GetSequence()}),
		op("r2", &ballastv1.Reverse{Sequence: made[2].GetSequence(), Amount: 41}),
		debit("d2", "bob", 1),
	}
	want := []string{"alice", "alice", "alice", "bob"}
	results := m.submit(t, "EXCEEDS_HOLD INSUFFICIENT_FUNDS EXCEEDS_ENTRY INSUFFICIENT_FUNDS", operations...)
	stream, err := m.money.SubmitStream(testContext(t))
	if err == nil {
		err = stream.Send(&ballastv1.SubmitStreamRequest{Tag: 1, Operations: operations})
	}
	if err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil || len(answer.GetResponse().GetResults()) != len(operations) {
		t.Fatal(answer, err)
	}
	streamed := answer.GetResponse().GetResults()
	for i, o := range operations {
		known, err := m.money.GetOperation(testContext(t), &ballastv1.GetOperationRequest{Id: o.GetId()})
		if err != nil {
			t.Fatal(err)
		}
		for how, r := range map[string]*ballastv1.Result{"answered": results[i], "answered on a stream": streamed[i], "looked up": known.GetResult()} {
			if r.GetAccount() != want[i] {
				t.Errorf("%s, %s: %v, want account %s", o.GetId(), how, r, want[i])
			}
		}
	}
}
