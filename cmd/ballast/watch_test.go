package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// feedOfAll has an entry of every kind, and what it is in words.
func feedOfAll() (entries []*ballastv1.Entry, words []string) {
	add := func(text string, kind ballastv1.EntryKind, e *ballastv1.Entry) {
		e.Sequence, e.Kind, e.LogTime, e.Ledger, e.Scale, e.OperationId = uint64(len(entries)+1), kind, fakeTime, "usd", 2, "op"
		entries, words = append(entries, e), append(words, text)
	}
	hold := func(account string, h *ballastv1.HoldChange) *ballastv1.Entry {
		h.Id, h.Expires = "ride 1", fakeTime
		return &ballastv1.Entry{CreditAccount: account, Hold: h}
	}
	move := func(e *ballastv1.Entry) *ballastv1.Entry {
		e.DebitAccount, e.CreditAccount, e.Amount, e.DebitPosted, e.CreditPosted = "alice", "@usd/debits", 250, 750, 9250
		return e
	}
	add("ledger made, counts USD in steps of 0.01", ballastv1.EntryKind_ENTRY_KIND_LEDGER_CREATED, &ballastv1.Entry{CreditAccount: "@usd/credits", Asset: "USD"})
	add("account alice opened, floor -5.00, ceiling 90.00", ballastv1.EntryKind_ENTRY_KIND_ACCOUNT_CREATED,
		&ballastv1.Entry{CreditAccount: "alice", Limits: &ballastv1.LimitsAfter{Floor: -500, Ceiling: proto.Int64(9000)}})
	add("account alice has limits now, floor 0.00", ballastv1.EntryKind_ENTRY_KIND_LIMITS_SET, &ballastv1.Entry{CreditAccount: "alice", Limits: &ballastv1.LimitsAfter{}})
	add("account alice is frozen", ballastv1.EntryKind_ENTRY_KIND_FROZEN_SET, &ballastv1.Entry{CreditAccount: "alice", Freeze: &ballastv1.FreezeAfter{Frozen: true}})
	add("account alice is frozen, for credits too", ballastv1.EntryKind_ENTRY_KIND_FROZEN_SET,
		&ballastv1.Entry{CreditAccount: "alice", Freeze: &ballastv1.FreezeAfter{Frozen: true, FrozenCredits: true}})
	add("account alice is thawed", ballastv1.EntryKind_ENTRY_KIND_FROZEN_SET, &ballastv1.Entry{CreditAccount: "alice", Freeze: &ballastv1.FreezeAfter{}})
	add("account alice has caps of 1.00/1h0m0s and 5.00/24h0m0s", ballastv1.EntryKind_ENTRY_KIND_VELOCITY_SET, &ballastv1.Entry{
		CreditAccount: "alice",
		Caps:          []*ballastv1.VelocityCap{{Window: int64(time.Hour), Limit: 100}, {Window: int64(24 * time.Hour), Limit: 500}},
	})
	add("account alice has no caps any more", ballastv1.EntryKind_ENTRY_KIND_VELOCITY_SET, &ballastv1.Entry{CreditAccount: "alice"})
	add("account alice has a low-balance threshold of 20.00", ballastv1.EntryKind_ENTRY_KIND_LOW_BALANCE_SET,
		&ballastv1.Entry{CreditAccount: "alice", LowBalance: &ballastv1.LowBalanceAfter{Threshold: 2000, Available: 3000}})
	add("account alice has no low-balance threshold any more", ballastv1.EntryKind_ENTRY_KIND_LOW_BALANCE_SET,
		&ballastv1.Entry{CreditAccount: "alice", LowBalance: &ballastv1.LowBalanceAfter{Available: 3000}})
	add("LOW BALANCE: account alice has 7.50 available, below 20.00", ballastv1.EntryKind_ENTRY_KIND_LOW_BALANCE,
		&ballastv1.Entry{CreditAccount: "alice", LowBalance: &ballastv1.LowBalanceAfter{Threshold: 2000, Available: 750}})
	add("credit 2.50 from alice (now 7.50) to @usd/debits (now 92.50)", ballastv1.EntryKind_ENTRY_KIND_CREDIT, move(&ballastv1.Entry{}))
	add("debit 2.50 from alice (now 7.50) to @usd/debits (now 92.50)", ballastv1.EntryKind_ENTRY_KIND_DEBIT, move(&ballastv1.Entry{}))
	add(`transfer 2.50 from alice (now 7.50) to @usd/debits (now 92.50), code 7, reference "it's 9"`, ballastv1.EntryKind_ENTRY_KIND_TRANSFER,
		move(&ballastv1.Entry{Code: 7, Reference: "it's 9"}))
	add("up_to 9.00: 2.50 from alice (now 7.50) to @usd/debits (now 92.50)", ballastv1.EntryKind_ENTRY_KIND_UP_TO, move(&ballastv1.Entry{Asked: 900}))
	add("reversal of #3 2.50 from alice (now 7.50) to @usd/debits (now 92.50)", ballastv1.EntryKind_ENTRY_KIND_REVERSAL, move(&ballastv1.Entry{ReversedSequence: 3}))
	add("hold 'ride 1': 4.00 of alice until 2023-11-14T22:13:20Z", ballastv1.EntryKind_ENTRY_KIND_HOLD_CREATED, hold("alice", &ballastv1.HoldChange{Remaining: 400}))
	add("hold 'ride 1': captured 2.50 from alice (now 7.50) to @usd/debits (now 92.50), 1.50 still held", ballastv1.EntryKind_ENTRY_KIND_HOLD_CAPTURED,
		move(hold("", &ballastv1.HoldChange{Remaining: 150})))
	add("hold 'ride 1': captured 2.50 from alice (now 7.50) to @usd/debits (now 92.50), 1.50 available again", ballastv1.EntryKind_ENTRY_KIND_HOLD_CAPTURED,
		move(hold("", &ballastv1.HoldChange{Released: 150, Ended: true})))
	add("hold 'ride 1' of alice extended until 2023-11-14T22:13:20Z", ballastv1.EntryKind_ENTRY_KIND_HOLD_EXTENDED, hold("alice", &ballastv1.HoldChange{Remaining: 400}))
	add("hold 'ride 1' of alice voided, 4.00 available again", ballastv1.EntryKind_ENTRY_KIND_HOLD_VOIDED, hold("alice", &ballastv1.HoldChange{Released: 400}))
	add("hold 'ride 1' of alice expired, 4.00 available again", ballastv1.EntryKind_ENTRY_KIND_HOLD_EXPIRED, hold("alice", &ballastv1.HoldChange{Released: 400}))
	topUp := func(u *ballastv1.TopUpChange) *ballastv1.Entry {
		u.Id, u.Amount, u.Lease = "t1", 3000, 2
		return &ballastv1.Entry{CreditAccount: "alice", TopUp: u}
	}
	add("account alice is topped up by 30.00 below 10.00", ballastv1.EntryKind_ENTRY_KIND_TOP_UP_POLICY_SET,
		&ballastv1.Entry{CreditAccount: "alice", TopUpPolicy: &ballastv1.SetTopUpPolicy{Threshold: 1000, Amount: 3000}})
	add("account alice is topped up up to 50.00 below 10.00", ballastv1.EntryKind_ENTRY_KIND_TOP_UP_POLICY_SET,
		&ballastv1.Entry{CreditAccount: "alice", TopUpPolicy: &ballastv1.SetTopUpPolicy{Threshold: 1000, Target: 5000}})
	add("account alice is not topped up any more", ballastv1.EntryKind_ENTRY_KIND_TOP_UP_POLICY_SET,
		&ballastv1.Entry{CreditAccount: "alice", TopUpPolicy: &ballastv1.SetTopUpPolicy{Off: true}})
	add("top-up t1 of 30.00 for alice is due", ballastv1.EntryKind_ENTRY_KIND_TOP_UP_OPENED, topUp(&ballastv1.TopUpChange{}))
	add("top-up t1 of 30.00 for alice leased until 2023-11-14T22:13:20Z, lease 2", ballastv1.EntryKind_ENTRY_KIND_TOP_UP_LEASED,
		topUp(&ballastv1.TopUpChange{Until: fakeTime}))
	add("top-up t1 of 30.00 for alice leased to be looked up until 2023-11-14T22:13:20Z, lease 2", ballastv1.EntryKind_ENTRY_KIND_TOP_UP_LEASED,
		topUp(&ballastv1.TopUpChange{Until: fakeTime, LookupOnly: true}))
	paid := topUp(&ballastv1.TopUpChange{Ended: true})
	paid.DebitAccount, paid.Amount, paid.DebitPosted, paid.CreditPosted = "@usd/credits", 3000, -9000, 3750
	add("top-up t1 of 30.00 for alice succeeded: from @usd/credits (now -90.00), now 37.50", ballastv1.EntryKind_ENTRY_KIND_TOP_UP_SUCCEEDED, paid)
	add("top-up t1 of 30.00 for alice declined, rests until 2023-11-14T22:13:20Z", ballastv1.EntryKind_ENTRY_KIND_TOP_UP_DECLINED,
		topUp(&ballastv1.TopUpChange{Until: fakeTime, Ended: true}))
	add("top-up t1 of 30.00 for alice: nobody knows what became of the charge; it stays open", ballastv1.EntryKind_ENTRY_KIND_TOP_UP_UNKNOWN, topUp(&ballastv1.TopUpChange{}))
	add("top-up t1 of 30.00 for alice taken back before it was leased", ballastv1.EntryKind_ENTRY_KIND_TOP_UP_CANCELLED, topUp(&ballastv1.TopUpChange{Ended: true}))
	add("account alice is closed", ballastv1.EntryKind_ENTRY_KIND_ACCOUNT_CLOSED, &ballastv1.Entry{CreditAccount: "alice"})
	return entries, words
}

func TestWatchTellsEveryKindInWords(t *testing.T) {
	f, s := start(t)
	var words []string
	f.entries, words = feedOfAll()
	lines := strings.Split(strings.TrimSpace(s.must("watch", "--after", "0", "--to-newest")), "\n")
	if len(lines) != len(words) {
		t.Fatalf("%d lines, want %d", len(lines), len(words))
	}
	kinds := map[ballastv1.EntryKind]bool{}
	for i, line := range lines {
		kinds[f.entries[i].GetKind()] = true
		_, text, _ := strings.Cut(line, " usd: ")
		if want := words[i] + ", operation op"; text != want || !strings.HasPrefix(line, "2023-11-14T22:13:20.000000000Z #") {
			t.Errorf("line %d is\n%s\nwant\n%s", i+1, line, want)
		}
	}
	if want := len(ballastv1.EntryKind_name) - 1; len(kinds) != want {
		t.Errorf("%d kinds were tried, there are %d", len(kinds), want)
	}
}

func TestWatchForPrograms(t *testing.T) {
	f, s := start(t)
	f.entries, _ = feedOfAll()
	out := s.must("watch", "--after", "10:ab0", "--limit", "2", "--positions", "-o", "json")
	var views []map[string]any
	for line := range strings.Lines(out) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		views = append(views, v)
	}
	if len(views) != 2 || views[0]["sequence"] != 11.0 || views[0]["kind"] != "low_balance" || views[1]["amount_units"] != "250" || views[1]["debit_posted"] != "7.50" {
		t.Errorf("told is\n%s", out)
	}
	if r := f.watched; r.GetAfterSequence() != 10 || r.GetAfterLink() != 0xab0 || r.GetFromNow() || r.GetFilter() != nil {
		t.Errorf("asked was %v", r)
	}
	out = s.must("watch", "--after", "0", "--to-newest", "--positions", "--account", "alice", "--account", "bob", "--kind", "hold-voided", "--kind", "transfer",
		"--code", "7,8", "--ledger", "usd", "--heartbeat", "200ms")
	if want := "position 33:0000000000000add, the newest entry is 33 at log index 17\n"; !strings.HasSuffix(out, want) {
		t.Errorf("ends with\n%s\nwant %s", out, want)
	}
	filter := f.watched.GetFilter()
	if len(filter.GetAccounts()) != 2 || len(filter.GetKinds()) != 2 || len(filter.GetCodes()) != 2 || filter.GetLedger() != "usd" ||
		time.Duration(f.watched.GetHeartbeat()) != 200*time.Millisecond {
		t.Errorf("asked was %v", f.watched)
	}
}

func TestWatchIsToldNothing(t *testing.T) {
	f, s := start(t)
	for _, args := range [][]string{
		{"--after", "x"}, {"--after", "1:x"}, {"--after", "-1"}, {"--kind", "transfers"}, {"--limit", "-1"}, {"-o", "csv"}, {"--heartbeat", "1ms"}, {"more"},
	} {
		if r := s.run(append([]string{"watch"}, args...)...); r.code != exitUsage {
			t.Errorf("%q: exit %d\n%s", args, r.code, r.err)
		}
	}
	f.failRead = status.Error(codes.OutOfRange, "expired")
	if r := s.run("watch", "--after", "1"); r.code != exitFailed || !strings.Contains(r.err, "expired") {
		t.Errorf("a position that is refused: exit %d\n%s", r.code, r.err)
	}
	f.failRead = status.Error(codes.Unavailable, "no journal")
	if r := s.run("watch", "--timeout", "300ms"); r.code != exitUnavailable || strings.Count(r.err, "tries to go on") != 1 {
		t.Errorf("nobody serves it: exit %d\n%s", r.code, r.err)
	}
}
