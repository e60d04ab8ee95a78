package ledger

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const second = int64(time.Second)

// TestAgainstModel applies random proposals to a State, to one that is reloaded from its pages now and then, and to the
// naive model. Copies of earlier operations arrive at any time: whole, with other attempts, changed, out of their group.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRun(t)
		for range rapid.IntRange(1, 40).Draw(t, "proposals") {
			r.step()
		}
		if !slices.EqualFunc(pagesOf(panicking{}, r.s), pagesOf(panicking{}, r.reloaded), samePage) {
			t.Fatal("a state that was reloaded has other pages than one that was not")
		}
	})
}

type run struct {
	t           *rapid.T
	s, reloaded *State
	m           *model
	index       uint64
	now         int64
	nextID      int
	sent        [][]Operation // units
	out         Output
	chain       Chain
	originals   map[uint64]Original
	told        []string // of entries, as the model's
}

func newRun(t *rapid.T) *run {
	r := &run{t: t, s: New(), reloaded: New(), m: newModel(int64(MinIDWindow)), now: storyStart, originals: map[uint64]Original{}}
	settings := DefaultSettings()
	settings.IDWindow = MinIDWindow
	r.index++
	for _, s := range []*State{r.s, r.reloaded} {
		if err := s.SetSettings(r.index, r.now, settings); err != nil {
			t.Fatal(err)
		}
	}
	r.m.apply(r.now, nil)
	r.apply(r.found())
	return r
}

// found makes two ledgers and three accounts; two more account ids stay free for a while.
func (r *run) found() []Operation {
	ops := []Operation{
		{Kind: KindCreateLedger, Ledger: []byte("usd"), Asset: []byte("USD"), Scale: 2},
		{Kind: KindCreateLedger, Ledger: []byte("eur"), Asset: []byte("EUR")},
		{Kind: KindCreateAccount, Ledger: []byte("usd"), Credit: []byte("a")},
		{Kind: KindCreateAccount, Ledger: []byte("usd"), Credit: []byte("b"), HasFloor: true, Floor: -20, HasCeiling: true, Ceiling: 50},
		{Kind: KindCreateAccount, Ledger: []byte("eur"), Credit: []byte("c"), HasFloor: true, Floor: math.MinInt64},
	}
	for i := range ops {
		ops[i].ID, ops[i].Attempt, ops[i].IssuedAt = fmt.Appendf(nil, "found-%d", i), 1, r.now
	}
	return ops
}

func (r *run) step() {
	t := r.t
	r.now += second * rapid.SampledFrom([]int64{0, 0, 1, 5, 20, 45, 70, -30}).Draw(t, "time passes")
	if rapid.IntRange(0, 9).Draw(t, "reload") == 0 {
		r.reloaded = reload(panicking{}, r.reloaded)
	}
	var ops []Operation
	for range rapid.IntRange(1, 4).Draw(t, "units") {
		unit := r.unit()
		r.sent = append(r.sent, unit)
		ops = append(ops, unit...)
	}
	r.apply(ops)

	// All of it again changes nothing.
	before := r.s.Space().Digest()
	r.apply(ops)
	if after := r.s.Space().Digest(); after != before {
		t.Fatalf("a retry changed the state: %+v", r.out.Results)
	}
}

// panicking is what reload asks of a test; rapid.T is no testing.TB.
type panicking struct{ testing.TB }

func (panicking) Helper()           {}
func (panicking) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (r *run) unit() []Operation {
	t := r.t
	if len(r.sent) > 0 && rapid.IntRange(0, 2).Draw(t, "copy") > 0 {
		return r.copyOf(rapid.SampledFrom(r.sent).Draw(t, "of"))
	}
	n := 1
	if rapid.IntRange(0, 3).Draw(t, "grouped") == 0 {
		n = rapid.IntRange(2, 4).Draw(t, "members")
	}
	var ops []Operation
	for i := range n {
		op := r.operation()
		op.Linked = i < n-1
		ops = append(ops, op)
	}
	return ops
}

// copyOf is an earlier unit, as it was or not quite.
func (r *run) copyOf(unit []Operation) []Operation {
	t := r.t
	unit = slices.Clone(unit)
	switch how := rapid.IntRange(0, 6).Draw(t, "how"); how {
	case 0, 1: // whole
	case 2, 3: // all attempts raised
		for i := range unit {
			unit[i].Attempt += uint32(how - 1)
		}
	case 4: // one attempt raised or lowered
		i := rapid.IntRange(0, len(unit)-1).Draw(t, "member")
		unit[i].Attempt = rapid.Uint32Range(1, 4).Draw(t, "attempt")
	case 5: // another payload
		i := rapid.IntRange(0, len(unit)-1).Draw(t, "member")
		id, attempt, linked := unit[i].ID, unit[i].Attempt, unit[i].Linked
		unit[i] = r.operation()
		unit[i].ID, unit[i].Attempt, unit[i].Linked = id, attempt, linked
	case 6: // out of its group
		i := rapid.IntRange(0, len(unit)-1).Draw(t, "member")
		unit = unit[i : i+1]
		unit[0].Linked = false
	}
	return unit
}

func (r *run) operation() Operation {
	t := r.t
	r.nextID++
	op := Operation{ID: fmt.Appendf(nil, "%d", r.nextID), Attempt: 1, IssuedAt: r.now}
	if rapid.IntRange(0, 3).Draw(t, "long id") == 0 {
		op.ID = fmt.Appendf(nil, "an-id-longer-than-16-bytes-%d", r.nextID)
	}
	if rapid.IntRange(0, 2).Draw(t, "stamped") == 0 {
		op.IssuedAt += second * rapid.SampledFrom([]int64{-80, -61, -60, -59, -30, 10, 59, 60, 61, 90, 200}).Draw(t, "off by")
	}
	account := func(label string) []byte {
		return []byte(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, label))
	}
	amount := rapid.SampledFrom([]int64{1, 2, 10, 30, 50, math.MaxInt64 - 3, math.MaxInt64, 0})
	hold := func() []byte { return fmt.Appendf(nil, "%d", max(1, r.nextID-rapid.IntRange(1, 12).Draw(t, "hold"))) }
	timeout := rapid.SampledFrom([]int64{1, 5 * second, 30 * second, 100 * second, MaxHoldTimeout})
	switch rapid.IntRange(0, 40).Draw(t, "kind") {
	default:
		op.Kind, op.Credit, op.Amount = KindCredit, account("credited"), amount.Draw(t, "amount")
	case 4, 5, 6:
		op.Kind, op.Debit, op.Amount = KindDebit, account("debited"), amount.Draw(t, "amount")
	case 7, 8, 9:
		op.Kind, op.Debit, op.Credit, op.Amount = KindTransfer, account("debited"), account("credited"), amount.Draw(t, "amount")
	case 10:
		op.Kind, op.Credit, op.Ledger = KindCreateAccount, account("created"), []byte(rapid.SampledFrom([]string{"usd", "eur", "gbp"}).Draw(t, "ledger"))
	case 11:
		op.Kind, op.Credit = KindSetLimits, account("limited")
		op.HasFloor, op.HasCeiling, op.NoCeiling = rapid.Bool().Draw(t, "floor"), rapid.Bool().Draw(t, "ceiling"), rapid.Bool().Draw(t, "no ceiling")
		op.Floor, op.Ceiling = -rapid.Int64Range(0, 30).Draw(t, "floor"), rapid.Int64Range(0, 60).Draw(t, "ceiling")
		if !op.HasFloor {
			op.Floor = 0
		}
		if !op.HasCeiling {
			op.Ceiling = 0
		}
	case 12:
		op.Kind, op.Credit, op.Frozen, op.FrozenCredits = KindSetFrozen, account("frozen"), rapid.Bool().Draw(t, "frozen"), rapid.Bool().Draw(t, "credits")
	case 13:
		op.Kind, op.Credit = KindCloseAccount, account("closed")
	case 15, 16, 17:
		op.Kind, op.Debit, op.Amount = KindHold, account("held"), amount.Draw(t, "amount")
		op.Timeout, op.Parts = timeout.Draw(t, "timeout"), rapid.Bool().Draw(t, "parts")
	case 18, 19, 20:
		op.Kind, op.Hold, op.Amount, op.Last = KindCapture, hold(), amount.Draw(t, "amount"), rapid.Bool().Draw(t, "last")
		if rapid.Bool().Draw(t, "to an account") {
			op.Credit = account("to")
		}
	case 23, 24:
		op.Kind, op.Debit, op.Amount = KindUpTo, account("debited"), amount.Draw(t, "amount")
		if rapid.Bool().Draw(t, "to an account") {
			op.Credit = account("to")
		}
	case 25, 26:
		op.Kind, op.Entry = KindReverse, uint64(max(1, int64(r.s.Sequence())+1-rapid.Int64Range(0, 9).Draw(t, "entry")))
		op.Amount, op.Original = rapid.SampledFrom([]int64{0, 0, 1, 10, 31}).Draw(t, "part"), r.originals[op.Entry]
	case 27, 28:
		op.Kind, op.Credit = KindSetVelocity, account("capped")
		for i := range rapid.IntRange(0, MaxCaps).Draw(t, "caps") {
			op.Caps[i] = Cap{second * rapid.SampledFrom([]int64{7, 60}).Draw(t, "window"), rapid.Int64Range(0, 60).Draw(t, "limit")}
		}
	case 39, 40:
		op.Kind, op.Credit = KindSetLowBalance, account("watched")
		op.Amount = rapid.SampledFrom([]int64{0, 1, 10, 30, 60, math.MaxInt64, -1}).Draw(t, "threshold")
	case 29, 30, 31, 32, 33, 34, 35:
		op = r.topUpOperation(op)
	case 21:
		op.Kind, op.Hold = KindVoid, hold()
	case 22:
		op.Kind, op.Hold, op.Timeout = KindExtend, hold(), timeout.Draw(t, "timeout")
	case 14:
		op.Kind, op.Ledger, op.Asset = KindCreateLedger, []byte(rapid.SampledFrom([]string{"usd", "gbp"}).Draw(t, "ledger")), []byte("X")
	}
	if rapid.IntRange(0, 5).Draw(t, "conditional") == 0 {
		op.IfVersion = rapid.Uint64Range(1, 6).Draw(t, "version")
	}
	return op
}

func (r *run) apply(ops []Operation) {
	t := r.t
	r.index++
	want := r.m.apply(r.now, ops)
	r.reloaded.Apply(r.index, r.now, ops, &r.out)
	r.compare("reloaded", ops, want)
	r.s.Apply(r.index, r.now, ops, &r.out)
	r.compare("state", ops, want)
	for b := r.out.Entries; len(b) > 0; {
		n, err := r.chain.Verify(b)
		if err != nil {
			t.Fatal(err)
		}
		e, _, _ := DecodeEntry(b)
		r.originals[e.Sequence] = OriginalOf(&e)
		if e.Kind == EntryLowBalance {
			r.tellLow(&e)
		}
		b = b[n:]
	}
	slices.Sort(r.told)
	slices.Sort(r.m.books.told)
	if !slices.Equal(r.told, r.m.books.told) {
		t.Fatalf("told to be low: %q, want %q", r.told, r.m.books.told)
	}
	if err := r.s.CheckBooks(); err != nil {
		t.Fatal(err)
	}
	if r.s.Space().Digest() != r.s.Space().RecomputeDigest() || r.s.Space().Digest() != r.reloaded.Space().Digest() {
		t.Fatal("digests differ")
	}
	r.compareAccounts()
	r.compareHolds()
	r.compareTopUps()
}

func (r *run) tellLow(e *Entry) {
	id, _, _, _ := r.s.AccountNames(e.CreditSlot)
	if e.Available >= e.Threshold || e.Threshold == 0 {
		r.t.Fatalf("%s is told to be low: %+v", id, e)
	}
	r.told = append(r.told, id)
}

func (r *run) compare(who string, ops []Operation, want []Result) {
	for i, got := range r.out.Results {
		if got != want[i] {
			r.t.Fatalf("%s: %+v\n got %+v\nwant %+v", who, ops[i], got, want[i])
		}
	}
}

func (r *run) compareAccounts() {
	t := r.t
	if n := r.s.AccountCount(); n != uint64(len(r.m.books.accounts)) {
		t.Fatalf("%d accounts, want %d", n, len(r.m.books.accounts))
	}
	for id, want := range r.m.books.accounts {
		a, ok := r.s.Account([]byte(id))
		if !ok || a.Posted != want.posted.Int64() || a.Floor != want.floor.Int64() || a.Ledger != want.ledger || a.Version != want.version ||
			a.Frozen != want.frozen || a.FrozenCredits != want.frozenCredits || a.Closed != want.closed || a.System != want.system ||
			a.Available != limited(want.available()) || a.Held != want.held || a.HasCeiling != (want.ceiling != nil) || a.HasCeiling && a.Ceiling != want.ceiling.Int64() {
			t.Fatalf("account %s: %+v, want %+v", id, a, want)
		}
		if a.LowBalance != want.low || a.Low != (want.low != 0 && want.isLow(want.low)) {
			t.Fatalf("account %s: low balance %d (%v), want %d", id, a.LowBalance, a.Low, want.low)
		}
		for i, c := range a.Caps {
			if w := &want.caps[i]; c.Cap != w.Cap || c.Window != 0 && c.Counted != limited(w.counted(r.m.now)) {
				t.Fatalf("account %s: cap %+v, want %+v", id, c, w)
			}
		}
	}
}

// TestFinalUnderPressure has far too small a budget for its ids, floods of refusals, stamps ahead of time and late copies
// of everything. Whatever is forgotten, an answer stays final: a refused attempt never takes effect, nothing takes
// effect twice, and what is answered again is the first answer.
func TestFinalUnderPressure(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { pressure(t, seed) })
	}
}

// attempted names one payload of an id; what is final is said of it.
type attempted struct {
	id       string
	issuedAt int64
	amount   int64
	account  string
}

type final struct {
	applied  bool
	refused  uint32          // highest attempt refused
	answered map[uint32]Code // first answers
}

func pressure(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	squeeze := func(s *State) {
		s.done.max = 300
		for b := range s.refused {
			s.refused[b].max = 12
		}
	}
	s, out, now := New(), Output{}, storyStart
	s.Apply(1, now, []Operation{
		{ID: []byte("l"), Attempt: 1, IssuedAt: now, Kind: KindCreateLedger, Ledger: []byte("usd"), Asset: []byte("USD")},
		{ID: []byte("a"), Attempt: 1, IssuedAt: now, Kind: KindCreateAccount, Ledger: []byte("usd"), Credit: []byte("a")},
		{ID: []byte("b"), Attempt: 1, IssuedAt: now, Kind: KindCreateAccount, Ledger: []byte("usd"), Credit: []byte("b")},
	}, &out)
	squeeze(s)
	history, sent := map[attempted]*final{}, []Operation{}
	for index := uint64(2); index < 600; index++ {
		now += rnd.Int64N(3 * second)
		if rnd.IntN(50) == 0 {
			s = reload(t, s)
			squeeze(s)
		}
		var ops []Operation
		for range 20 {
			op := someOperation(rnd, now, len(sent))
			if len(sent) > 0 && rnd.IntN(2) == 0 {
				op = sent[max(0, len(sent)-1-int(rnd.ExpFloat64()*200))]
				op.Attempt += uint32(rnd.IntN(2) * rnd.IntN(3))
			}
			ops, sent = append(ops, op), append(sent, op)
		}
		s.Apply(index, now, ops, &out)
		for i := range ops {
			checkFinal(t, history, &ops[i], &out.Results[i])
		}
	}
	if err := s.CheckBooks(); err != nil {
		t.Fatal(err)
	}
	if s.Space().Digest() != s.Space().RecomputeDigest() {
		t.Fatal("the digest is not that of the pages")
	}
	if done := s.done.Len(); done > s.done.max*3/2 {
		t.Errorf("%d ids of what took effect, the budget allows %d", done, s.done.max)
	}
	if s.SureHorizon() <= storyStart {
		t.Error("nothing was forgotten: the test has lost its point")
	}
}

func someOperation(rnd *rand.Rand, now int64, n int) Operation {
	op := Operation{ID: fmt.Appendf(nil, "op-%d", n), Attempt: 1, IssuedAt: now - rnd.Int64N(2*second)}
	switch rnd.IntN(12) {
	case 0: // ahead, some too far
		op.IssuedAt = now + rnd.Int64N(240*second)
	case 1: // an id that is used already
		op.ID = fmt.Appendf(nil, "op-%d", rnd.IntN(n+1))
	}
	op.Kind, op.Credit, op.Amount = KindCredit, []byte{"abx"[rnd.IntN(3)]}, 1+rnd.Int64N(100)
	if rnd.IntN(2) == 0 {
		op.Kind, op.Debit, op.Credit = KindDebit, op.Credit, nil
	}
	return op
}

func checkFinal(t *testing.T, history map[attempted]*final, op *Operation, res *Result) {
	t.Helper()
	who := attempted{string(op.ID), op.IssuedAt, op.Amount, fmt.Sprintf("%d %s%s", op.Kind, op.Debit, op.Credit)}
	f := history[who]
	if f == nil {
		f = &final{answered: map[uint32]Code{}}
		history[who] = f
	}
	if res.Code == CodeApplied && !res.Replayed {
		if f.applied {
			t.Fatalf("%+v took effect twice", who)
		}
		if op.Attempt <= f.refused {
			t.Fatalf("%+v attempt %d takes effect, attempt %d was refused", who, op.Attempt, f.refused)
		}
		f.applied = true
	}
	if res.Code != CodeApplied {
		f.refused = max(f.refused, op.Attempt)
	}
	first, known := f.answered[op.Attempt]
	if !known {
		f.answered[op.Attempt] = res.Code
	} else if res.Code != first && res.Code != CodeTooOld && res.Code != CodeSuperseded {
		t.Fatalf("%+v attempt %d is answered %s, first %s", who, op.Attempt, codeNames[res.Code], codeNames[first])
	}
}
