package ledger

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ballastdb/ballast/fsm/page"
)

// TestAmounts compares the arithmetic with big numbers, near the edges above all.
func TestAmounts(t *testing.T) {
	edge := rapid.Custom(func(t *rapid.T) int64 {
		near := rapid.SampledFrom([]int64{0, math.MaxInt64, math.MinInt64, math.MaxInt64 / 2, math.MinInt64 / 2}).Draw(t, "near")
		return near + rapid.Int64Range(-3, 3).Draw(t, "off") // may wrap: another edge
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := edge.Draw(t, "a"), edge.Draw(t, "b"), edge.Draw(t, "c")
		x, y := big.NewInt(a), big.NewInt(b)
		sum, difference := new(big.Int).Add(x, y), new(big.Int).Sub(x, y)
		if got, ok := add(a, b); ok != sum.IsInt64() || ok && got != sum.Int64() {
			t.Errorf("%d + %d = %d, %v", a, b, got, ok)
		}
		if got, ok := sub(a, b); ok != difference.IsInt64() || ok && got != difference.Int64() {
			t.Errorf("%d - %d = %d, %v", a, b, got, ok)
		}
		if got := less(a, b); got != limited(difference) {
			t.Errorf("%d - %d = %d, want %d", a, b, got, limited(difference))
		}
		acc := account{posted: a, held: b &^ math.MinInt64, floor: min(c, 0)}
		want := new(big.Int).Sub(big.NewInt(acc.posted), big.NewInt(acc.held))
		want.Sub(want, big.NewInt(acc.floor))
		if got := acc.available(); got != limited(want) {
			t.Errorf("available of %+v is %d, want %s limited", acc, got, want)
		}
	})
}

// TestListing lists more accounts than are sorted at a time, made in an order that is not that of their ids, between
// listings too.
func TestListing(t *testing.T) {
	s, out, index := New(), Output{}, uint64(1)
	s.Apply(index, storyStart, []Operation{
		{ID: []byte("l"), Attempt: 1, IssuedAt: storyStart, Kind: KindCreateLedger, Ledger: []byte("usd"), Asset: []byte("USD")},
		{ID: []byte("m"), Attempt: 1, IssuedAt: storyStart, Kind: KindCreateLedger, Ledger: []byte("eur"), Asset: []byte("EUR")},
	}, &out)
	want := []string{"@eur/credits", "@eur/debits", "@usd/credits", "@usd/debits"}
	create := func(n int) {
		for range n {
			id := fmt.Sprintf("acc-%07d", len(want)*7919%1000003)
			ledger := "usd"
			if len(want)%1000 == 0 {
				ledger, id = "eur", id+"-eur"
			}
			want = append(want, id)
			index++
			s.Apply(index, storyStart, []Operation{{ID: []byte(id), Attempt: 1, IssuedAt: storyStart, Kind: KindCreateAccount, Ledger: []byte(ledger), Credit: []byte(id)}}, &out)
		}
	}
	list := func(q AccountQuery) (ids []string) {
		for {
			accounts, next := s.Accounts(q)
			for _, a := range accounts {
				ids = append(ids, a.ID)
			}
			if next == "" {
				return ids
			}
			q.After = next
		}
	}
	for _, n := range []int{runMax / 2, runMax, 10} {
		create(n)
		sorted := slices.Sorted(slices.Values(want))
		for s.PrepareListing(); !s.PrepareListing(); {
		}
		if got := list(AccountQuery{Limit: 1000, IncludeSystem: true}); !slices.Equal(got, sorted) {
			t.Fatalf("%d ids, want %d in order", len(got), len(sorted))
		}
		if got := list(AccountQuery{Limit: 7, Ledger: "eur"}); len(got) != len(want)/1000 {
			t.Errorf("%d accounts of eur, want %d", len(got), len(want)/1000)
		}
		hit := sorted[len(sorted)/2]
		if got := list(AccountQuery{Limit: 10, Prefix: hit}); !slices.Equal(got, []string{hit}) {
			t.Errorf("prefix %s finds %v", hit, got)
		}
		if got, _ := s.Accounts(AccountQuery{Limit: 3, After: hit}); got[0].ID != sorted[len(sorted)/2+1] {
			t.Errorf("after %s comes %s", hit, got[0].ID)
		}
	}
	if accounts, next := s.Accounts(AccountQuery{Limit: 10, Ledger: "gbp"}); len(accounts) != 0 || next != "" {
		t.Error("a ledger that does not exist has accounts")
	}
}

// TestRebuildRefuses: pages that are no state of this version are refused with the reason, not read as something else.
func TestRebuildRefuses(t *testing.T) {
	s, _ := encodeEveryKind(t)
	for _, tc := range []struct {
		name   string
		damage func(p *page.Page) (drop bool)
	}{
		{"another format", func(p *page.Page) bool { return set(p, tableMeta, 8, 2) }},
		{"settings out of bounds", func(p *page.Page) bool { return set(p, tableSettings, 8+7, 127) }},
		{"no settings", func(p *page.Page) bool { return p.Table == tableSettings }},
		{"no meta", func(p *page.Page) bool { return p.Table == tableMeta }},
		{"no cells", func(p *page.Page) bool { return p.Table == tableCells }},
		{"no accounts", func(p *page.Page) bool { return p.Table == tableAccounts }},
		{"no ids", func(p *page.Page) bool { return p.Table == tableDone }},
		{"an id too long", func(p *page.Page) bool { return set(p, tableAccounts, 63, 65) }},
		{"an account of no ledger", func(p *page.Page) bool { return set(p, tableAccounts, 56, 9) }},
		{"a ledger's name too long", func(p *page.Page) bool { return set(p, tableLedgers, 17, 33) }},
		{"an id of a refusal among those that took effect", func(p *page.Page) bool { return set(p, tableDone, offCode, byte(CodeInsufficientFunds)) }},
	} {
		fresh := New()
		for _, p := range pagesOf(t, s) {
			if tc.damage(&p) {
				continue
			}
			if err := fresh.Space().Load(p); err != nil {
				t.Fatal(err)
			}
		}
		if err := fresh.Space().Loaded(nil); err != nil {
			t.Fatal(err)
		}
		if err := fresh.Rebuild(nil); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if err := New().Rebuild(nil); err != nil {
		t.Errorf("an empty state: %v", err)
	}
}

func set(p *page.Page, table uint8, at int, to byte) bool {
	if p.Table == table {
		p.Data[at] = to
	}
	return false
}

// TestCheckBooksSees: the check is worth something only if it finds what is wrong.
func TestCheckBooksSees(t *testing.T) {
	for _, change := range []func(a *account){
		func(a *account) { a.posted++ },
		func(a *account) { a.held = -1 },
		func(a *account) { a.held = a.posted + 1<<20 },
		func(a *account) { a.floor = 1 },
		func(a *account) { a.ceiling = a.posted - 1 },
		func(a *account) { a.flags |= flagClosed },
		func(a *account) { a.ledger = 7 },
		func(a *account) { a.version = 0 },
	} {
		s, _ := encodeEveryKind(t)
		slot, _ := s.find([]byte("alice"))
		rec := s.accounts.Begin(uint64(slot))
		a := decodeAccount(rec)
		change(&a)
		a.encode(rec)
		s.accounts.End(uint64(slot), 1)
		if err := s.CheckBooks(); !errors.Is(err, ErrBooks) {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

// TestGroupsMayBeLarge: the largest group, half of it creating what the other half uses, accepted and then refused.
func TestGroupsMayBeLarge(t *testing.T) {
	s, out := New(), Output{}
	ops := []Operation{{Kind: KindCreateLedger, Ledger: []byte("usd"), Asset: []byte("USD")}}
	for i := range MaxGroup/2 - 1 {
		id := fmt.Appendf(nil, "acc-%d", i)
		ops = append(ops, Operation{Kind: KindCreateAccount, Ledger: []byte("usd"), Credit: id},
			Operation{Kind: KindCredit, Credit: id, Amount: 1})
	}
	ops = append(ops, Operation{Kind: KindTransfer, Debit: []byte("acc-0"), Credit: []byte("acc-1"), Amount: 2})
	for i := range ops {
		ops[i].ID, ops[i].Attempt, ops[i].IssuedAt, ops[i].Linked = fmt.Appendf(nil, "op-%d", i), 1, storyStart, i < len(ops)-1
	}
	before := s.AccountCount()
	s.Apply(1, storyStart, ops, &out)
	if r := out.Results[len(ops)-1]; r.Code != CodeInsufficientFunds || s.AccountCount() != before || len(out.Entries) != 0 {
		t.Fatalf("%+v with %d accounts", r, s.AccountCount())
	}
	ops[len(ops)-1].Amount = 1
	for i := range ops {
		ops[i].ID = append(ops[i].ID, 'x')
	}
	s.Apply(2, storyStart, ops, &out)
	if r := out.Results[len(ops)-1]; r.Code != CodeApplied || len(out.Hashes) != len(ops) || s.AccountCount() != MaxGroup/2+1 {
		t.Fatalf("%+v, %d entries, %d accounts", r, len(out.Hashes), s.AccountCount())
	}
	if err := s.CheckBooks(); err != nil {
		t.Fatal(err)
	}
}

// groupOfEveryKind are 1,000 operations of all kinds, in an order in which all of them take effect on what
// encodeEveryKind left, and leave nothing that the next group would meet.
func groupOfEveryKind(s *State, round int) (ops []Operation) {
	policy, _, _ := s.TopUpPolicy([]byte("dora"))
	entry := s.Sequence() // of what is done right before
	add := func(op Operation) {
		op.ID, op.Attempt, op.IssuedAt = fmt.Appendf(nil, "%d-%d", round, len(ops)), 1, storyStart
		ops = append(ops, op)
	}
	add(Operation{Kind: KindCreateLedger, Ledger: fmt.Appendf(nil, "l%d", round), Asset: []byte("X")})
	add(Operation{Kind: KindReverse, Entry: entry, Original: Original{EntryCredit, 0, 5, 1}})
	add(Operation{Kind: KindSettleTopUp, TopUp: &TopUpFields{ID: []byte(policy.Open), Outcome: OutcomeUnknown}})
	add(Operation{Kind: KindSetTopUp, Credit: []byte("dora"), TopUp: &TopUpFields{Off: true}})
	for i := 0; len(ops)+14 <= MaxGroup; i++ {
		one, two := fmt.Appendf(nil, "one-%d-%d", round, i), fmt.Appendf(nil, "two-%d-%d", round, i)
		add(Operation{Kind: KindCreateAccount, Ledger: []byte("usd"), Credit: one})
		add(Operation{Kind: KindCreateAccount, Ledger: []byte("usd"), Credit: two})
		add(Operation{Kind: KindCredit, Credit: one, Amount: 100})
		add(Operation{Kind: KindTransfer, Debit: one, Credit: two, Amount: 40})
		add(Operation{Kind: KindDebit, Debit: two, Amount: 10})
		add(Operation{Kind: KindUpTo, Debit: two, Amount: 50})
		add(Operation{Kind: KindCloseAccount, Credit: two})
		hold := len(ops)
		add(Operation{Kind: KindHold, Debit: one, Amount: 30, Timeout: 60 * second, Parts: true})
		add(Operation{Kind: KindExtend, Hold: ops[hold].ID, Timeout: 90 * second})
		add(Operation{Kind: KindCapture, Hold: ops[hold].ID, Amount: 10})
		add(Operation{Kind: KindVoid, Hold: ops[hold].ID})
		add(Operation{Kind: KindSetVelocity, Credit: one, Caps: [MaxCaps]Cap{{60 * second, 50}}})
		add(Operation{Kind: KindSetLimits, Credit: one, HasCeiling: true, Ceiling: 50})
		add(Operation{Kind: KindSetLowBalance, Credit: one, Amount: 60})
	}
	add(Operation{Kind: KindLeaseTopUp, Timeout: MinLease, TopUp: &TopUpFields{ID: []byte(policy.Open)}})
	for len(ops) < MaxGroup {
		add(Operation{Kind: KindSetFrozen, Credit: ops[4].Credit, Frozen: true})
	}
	for i := range ops {
		ops[i].Linked = i < len(ops)-1
	}
	return ops
}

// TestGroupOfEveryKind: the largest group, over every kind of operation. Where its last member is refused nothing is left of all
// the others, and they name it; else all of it takes effect, and a reloaded state is the same.
func TestGroupOfEveryKind(t *testing.T) {
	s, _ := encodeEveryKind(t)
	out, index := Output{}, uint64(10)
	apply := func(ops ...Operation) []Result {
		index++
		s.Apply(index, storyStart+31*second, ops, &out) // the lease of encodeEveryKind has ended
		return out.Results
	}
	apply(Operation{ID: []byte("credit"), Attempt: 1, IssuedAt: storyStart, Kind: KindCredit, Credit: []byte("dora"), Amount: 1})
	ops := groupOfEveryKind(s, 1)
	kinds := map[Kind]bool{}
	for i := range ops {
		kinds[ops[i].Kind] = true
	}
	if len(ops) != MaxGroup || len(kinds) != 19 {
		t.Fatalf("%d operations of %d kinds", len(ops), len(kinds))
	}
	before := []any{s.AccountCount(), s.OpenHolds(), s.OpenTopUps(), s.Sequence(), s.JournalHash(), len(s.Ledgers())}
	bad := slices.Clone(ops)
	bad[MaxGroup-1] = Operation{ID: []byte("bad"), Attempt: 1, IssuedAt: storyStart, Kind: KindDebit, Debit: []byte("dora"), Amount: 1 << 40}
	for i, r := range apply(bad...) {
		if last := i == MaxGroup-1; last != (r.Code == CodeInsufficientFunds) || !last && (r.Code != CodeGroupRefused || r.FailedMember != MaxGroup-1) {
			t.Fatalf("member %d of a group whose last is refused: %+v", i, r)
		}
	}
	if after := []any{s.AccountCount(), s.OpenHolds(), s.OpenTopUps(), s.Sequence(), s.JournalHash(), len(s.Ledgers())}; !slices.Equal(before, after) {
		t.Fatalf("a refused group left %v of %v", after, before)
	}
	good := groupOfEveryKind(s, 2)
	for i, r := range apply(good...) {
		if r.Code != CodeApplied {
			t.Fatalf("member %d, %+v: %s", i, good[i], formatResult(&r))
		}
	}
	if err := s.CheckBooks(); err != nil {
		t.Fatal(err)
	}
	if got := reload(t, s); !slices.EqualFunc(pagesOf(t, s), pagesOf(t, got), samePage) {
		t.Error("a reloaded state has other pages")
	}
}

// TestApplyAllocates: the usual operation and its retry allocate nothing beside pages and indexes.
func TestApplyAllocates(t *testing.T) {
	s, out, index := bank(t, 100), Output{}, uint64(1<<20)
	id := []byte("0123456789abcdef")
	ops := []Operation{{ID: id, Attempt: 1, IssuedAt: benchStart, Kind: KindTransfer, Debit: []byte("account-00000001"), Credit: []byte("account-00000002"), Amount: 1}}
	n := testing.AllocsPerRun(1000, func() {
		index++
		id[index%16] = 'a' + byte(index/16%26)
		s.Apply(index, benchStart, ops, &out)
		s.Apply(index, benchStart, ops, &out)
	})
	if n > 0.5 {
		t.Errorf("%.2f allocations for an operation and its retry", n)
	}
}

// TestLedgerLimit: the bound of ledgers is a refusal, not a wrap.
func TestLedgerLimit(t *testing.T) {
	s, out := New(), Output{}
	ops := make([]Operation, 0, MaxBatch)
	for i := range maxLedgers + 1 {
		name := fmt.Appendf(nil, "l%d", i)
		ops = append(ops, Operation{ID: name, Attempt: 1, IssuedAt: storyStart, Kind: KindCreateLedger, Ledger: name, Asset: []byte("X")})
		if len(ops) == cap(ops) || i == maxLedgers {
			s.Apply(uint64(i+1), storyStart, ops, &out)
			ops = ops[:0]
		}
	}
	last := len(out.Results) - 1
	if out.Results[last-1].Code != CodeApplied || out.Results[last].Code != CodeLimitReached || len(s.Ledgers()) != maxLedgers {
		t.Errorf("%+v then %+v with %d ledgers", out.Results[last-1], out.Results[last], len(s.Ledgers()))
	}
	if err := s.CheckBooks(); err != nil {
		t.Error(err)
	}
}

// TestResultsDocumented: docs/results.md has a row for every code, in order.
func TestResultsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/results.md")
	if err != nil {
		t.Fatal(err)
	}
	rest := string(doc)
	for code := CodeApplied; code <= CodeNewest; code++ {
		_, after, found := strings.Cut(rest, fmt.Sprintf("\n| %d | %s |", code, codeNames[code]))
		if !found {
			t.Fatalf("no row for %d %s after the one before", code, codeNames[code])
		}
		rest = after
	}
}

// TestSettingsBounds: out of bounds is refused and changes nothing but time; the limits of queues follow what is set.
func TestSettingsBounds(t *testing.T) {
	s := New()
	for i, change := range []func(v *Settings){
		func(v *Settings) { v.IDWindow = MinIDWindow - 1 }, func(v *Settings) { v.IDWindow = MaxIDWindow + 1 },
		func(v *Settings) { v.IDBudgetBytes = MinIDBudgetBytes - 1 }, func(v *Settings) { v.IDBudgetBytes = MaxIDBudgetBytes + 1 },
		func(v *Settings) { v.RefusedSharePercent = 0 }, func(v *Settings) { v.RefusedSharePercent = MaxRefusedShare + 1 },
		func(v *Settings) { v.CheckpointInterval = 0 }, func(v *Settings) { v.CheckpointInterval = MaxCheckpointInterval + 1 },
	} {
		v := DefaultSettings()
		change(&v)
		now := storyStart + int64(i)
		if err := s.SetSettings(uint64(i+1), now, v); err == nil || s.Settings() != DefaultSettings() || s.LogTime() != now {
			t.Errorf("%+v: %v", v, err)
		}
	}
	largest := Settings{IDWindow: MaxIDWindow, IDBudgetBytes: MaxIDBudgetBytes, RefusedSharePercent: 1, CheckpointInterval: 1}
	if err := s.SetSettings(100, storyStart, largest); err != nil || s.done.max >= 1<<donePosBits || s.refused[0].max >= 1<<bucketPosBits {
		t.Errorf("%v: %d and %d records", err, s.done.max, s.refused[0].max)
	}
	if got := reload(t, s); got.Settings() != largest || got.done.max != s.done.max {
		t.Errorf("reloaded: %+v", got.Settings())
	}
}
