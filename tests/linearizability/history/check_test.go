package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"google.golang.org/protobuf/proto"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// reference is a store that does everything right, one call at a time. Its histories must be accepted, and the same
// histories with one thing spoilt must not.
type reference struct {
	rand     *rand.Rand
	initial  []*ballastv1.Account
	accounts map[string]*ballastv1.Account
	answers  map[attemptKey]*ballastv1.Result
	newest   map[string]*ballastv1.Result
	truth    Truth
	calls    []*Call
	time     int64
	index    uint64
}

const (
	applied = ballastv1.ResultCode_RESULT_CODE_APPLIED
	noFunds = ballastv1.ResultCode_RESULT_CODE_INSUFFICIENT_FUNDS
)

func newReference(seed uint64, cells int) *reference {
	r := &reference{
		rand: rand.New(rand.NewPCG(seed, 0)), accounts: map[string]*ballastv1.Account{},
		answers: map[attemptKey]*ballastv1.Result{}, newest: map[string]*ballastv1.Result{},
	}
	for _, id := range []string{"@l/credits", "@l/debits"} {
		r.accounts[id] = &ballastv1.Account{Id: id, Ledger: "l", System: true}
	}
	for i := range cells * CellSize {
		a := &ballastv1.Account{Id: fmt.Sprintf("a%d", i), Ledger: "l"}
		r.accounts[a.Id] = a
		r.initial = append(r.initial, proto.CloneOf(a))
	}
	return r
}

func (r *reference) account() string { return r.initial[r.rand.IntN(len(r.initial))].GetId() }

// mate is another account of the same cell.
func (r *reference) mate(id string) string {
	i := slices.IndexFunc(r.initial, func(a *ballastv1.Account) bool { return a.GetId() == id })
	return r.initial[i/CellSize*CellSize+(i+1)%CellSize].GetId()
}

// do applies op now and returns its answer.
func (r *reference) do(op *ballastv1.Operation) *ballastv1.Result {
	k := attemptKey{op.GetId(), op.GetAttempt()}
	if a := r.answers[k]; a != nil {
		a = proto.CloneOf(a)
		a.Replayed = true
		return a
	}
	if a := r.newest[k.id]; a != nil && a.GetCode() == applied {
		a = proto.CloneOf(a)
		a.Replayed = true
		return a
	} else if a != nil && a.GetAttempt() > k.attempt {
		return &ballastv1.Result{Code: ballastv1.ResultCode_RESULT_CODE_SUPERSEDED, Attempt: k.attempt}
	}
	m := moveOf(op)
	result := &ballastv1.Result{Attempt: k.attempt}
	debit, credit := r.accounts["@l/credits"], r.accounts["@l/debits"]
	if m.debit != "" {
		debit = r.accounts[m.debit]
	}
	if m.credit != "" {
		credit = r.accounts[m.credit]
	}
	if m.debit != "" && debit.Posted < m.amount {
		result.Code, result.Available, result.Asked = noFunds, debit.Posted, m.amount
	} else {
		r.index++
		debit.Posted -= m.amount
		credit.Posted += m.amount
		for _, a := range []*ballastv1.Account{debit, credit} {
			a.LastSequence, a.Available = r.index, a.Posted
		}
		result.Code, result.Sequence, result.DebitPosted, result.CreditPosted = applied, r.index, debit.Posted, credit.Posted
		r.truth.Entries = append(r.truth.Entries, &ballastv1.Entry{
			Sequence: r.index, Kind: ballastv1.EntryKind_ENTRY_KIND_TRANSFER, OperationId: k.id, Amount: m.amount,
			DebitAccount: debit.Id, CreditAccount: credit.Id, DebitPosted: debit.Posted, CreditPosted: credit.Posted,
		})
	}
	r.answers[k], r.newest[k.id] = result, result
	return result
}

// call records a call that takes effect now.
func (r *reference) call(c *Call) {
	r.time += 10
	c.Start, c.End = r.time-r.rand.Int64N(25), r.time+1+r.rand.Int64N(25)
	r.calls = append(r.calls, c)
}

func (r *reference) change(op *ballastv1.Operation, outcome Outcome) *ballastv1.Result {
	c := &Call{Outcome: outcome, Operations: []*ballastv1.Operation{op}}
	var result *ballastv1.Result
	if outcome == Answered || outcome == Unknown && r.rand.IntN(2) == 0 {
		result = r.do(op)
	}
	if outcome == Answered {
		c.Results = []*ballastv1.Result{result}
	}
	r.call(c)
	return result
}

func (r *reference) read(id string) {
	c := &Call{Outcome: Answered, Read: &Read{Index: r.index}}
	for _, a := range []string{id, r.mate(id)} {
		c.Read.Accounts = append(c.Read.Accounts, proto.CloneOf(r.accounts[a]))
	}
	r.call(c)
}

func (r *reference) operation(n int) *ballastv1.Operation {
	op := &ballastv1.Operation{Id: fmt.Sprint("op", n), Attempt: 1}
	account, amount := r.account(), 1+r.rand.Int64N(9)
	switch r.rand.IntN(4) {
	case 0:
		op.Kind = &ballastv1.Operation_Credit{Credit: &ballastv1.Credit{Account: account, Amount: amount * 2}}
	case 1:
		op.Kind = &ballastv1.Operation_Debit{Debit: &ballastv1.Debit{Account: account, Amount: amount}}
	default:
		op.Kind = &ballastv1.Operation_Transfer{Transfer: &ballastv1.Transfer{DebitAccount: account, CreditAccount: r.mate(account), Amount: amount}}
	}
	return op
}

// run makes a history of n operations, many of them tried again.
func (r *reference) run(n int) {
	for i := range n {
		op := r.operation(i)
		switch r.rand.IntN(10) {
		case 0:
			r.change(op, NotDone)
		case 1:
			r.change(op, Unknown)
		case 2:
			r.change(op, Unknown)
			r.read(r.account())
			r.change(op, Answered)
		default:
			result := r.change(op, Answered)
			if result.GetCode() == applied || r.rand.IntN(2) == 0 {
				r.change(op, Answered)
				break
			}
			again := proto.CloneOf(op)
			again.Attempt = 2
			r.change(again, Answered)
			r.change(op, Answered) // a late copy of the refused one
		}
		r.read(r.account())
	}
	r.truth.Time = r.time + 100
	for _, a := range r.accounts {
		r.truth.Accounts = append(r.truth.Accounts, a)
	}
	r.truth.Operations = map[string]*ballastv1.GetOperationResponse{}
	for _, id := range NeedsOperation(r.calls) {
		r.truth.Operations[id] = &ballastv1.GetOperationResponse{Known: r.newest[id] != nil, Result: r.newest[id]}
	}
}

func (r *reference) check() *Verdict {
	return Check(r.calls, r.initial, &r.truth, 30*time.Second)
}

func TestRightHistoriesAreAccepted(t *testing.T) {
	for seed := range uint64(30) {
		r := newReference(seed, 2)
		r.run(150)
		if v := r.check(); len(v.Violations) > 0 || v.Undecided > 0 {
			t.Fatalf("seed %d: %d cells undecided, %v", seed, v.Undecided, v.Violations)
		}
	}
}

// find returns a call of the history that is as wanted.
func (r *reference) find(t *testing.T, wanted func(c *Call) bool) *Call {
	t.Helper()
	i := slices.IndexFunc(r.calls, wanted)
	if i < 0 {
		t.Fatal("the history has no such call")
	}
	return r.calls[i]
}

func TestSpoiltHistoriesAreFound(t *testing.T) {
	answered := func(code ballastv1.ResultCode) func(*Call) bool {
		return func(c *Call) bool { return c.Outcome == Answered && c.Read == nil && c.Results[0].GetCode() == code }
	}
	for name, c := range map[string]struct {
		want  Kind
		spoil func(t *testing.T, r *reference)
	}{
		"an acknowledged change is lost": {Lost, func(_ *testing.T, r *reference) {
			r.truth.Entries = r.truth.Entries[:len(r.truth.Entries)-1]
		}},
		"a balance is read that never was": {NotLinearizable, func(t *testing.T, r *reference) {
			r.find(t, func(c *Call) bool { return c.Read != nil && c.Start > 200 }).Read.Accounts[0].Posted += 1_000
		}},
		"an old balance is read": {NotLinearizable, func(t *testing.T, r *reference) {
			old := r.find(t, func(c *Call) bool { return c.Read != nil && c.Read.Accounts[0].GetId() == "a0" })
			late := &Call{Outcome: Answered, Read: old.Read, Start: r.time + 200, End: r.time + 210}
			r.calls = append(r.calls, late)
		}},
		"an old index is read": {WentBack, func(_ *testing.T, r *reference) {
			r.calls = append(r.calls, &Call{Outcome: Answered, Read: &Read{Index: r.index - 1}, Start: r.time + 200, End: r.time + 210})
		}},
		"an answer changes": {TwoAnswers, func(t *testing.T, r *reference) {
			first := r.find(t, answered(noFunds))
			other := proto.CloneOf(first.Results[0])
			other.Available++
			r.calls = append(r.calls, &Call{Outcome: Answered, Operations: first.Operations, Results: []*ballastv1.Result{other}, Start: r.time, End: r.time + 1})
		}},
		"a refused attempt takes effect by a late copy": {RefusedTookEffect, func(t *testing.T, r *reference) {
			op := r.find(t, func(c *Call) bool {
				return answered(noFunds)(c) && r.newest[c.Operations[0].GetId()].GetAttempt() == 1
			}).Operations[0]
			r.truth.Entries = append(r.truth.Entries, &ballastv1.Entry{
				Sequence: r.index + 1, Kind: ballastv1.EntryKind_ENTRY_KIND_DEBIT, OperationId: op.GetId(), Amount: 1,
			})
		}},
		"a refusal is forgotten": {Forgotten, func(t *testing.T, r *reference) {
			op := r.find(t, answered(noFunds)).Operations[0]
			r.truth.Operations[op.GetId()] = &ballastv1.GetOperationResponse{}
		}},
		"what was reported not done took effect": {NotDoneTookEffect, func(t *testing.T, r *reference) {
			op := r.find(t, func(c *Call) bool { return c.Outcome == NotDone }).Operations[0]
			r.truth.Entries = append(r.truth.Entries, &ballastv1.Entry{
				Sequence: r.index + 1, Kind: ballastv1.EntryKind_ENTRY_KIND_DEBIT, OperationId: op.GetId(), Amount: 1,
			})
		}},
		"an id took effect twice": {AppliedTwice, func(_ *testing.T, r *reference) {
			twice := proto.CloneOf(r.truth.Entries[0])
			twice.Sequence = r.index + 1
			r.truth.Entries = append(r.truth.Entries, twice)
		}},
		"an entry comes from nowhere": {Stranger, func(_ *testing.T, r *reference) {
			r.truth.Entries = append(r.truth.Entries, &ballastv1.Entry{
				Sequence: r.index + 1, Kind: ballastv1.EntryKind_ENTRY_KIND_DEBIT, OperationId: "nobody", Amount: 1,
			})
		}},
		"money vanishes": {Unbalanced, func(_ *testing.T, r *reference) {
			r.accounts["@l/credits"].Posted++
		}},
		"log time follows a wrong clock": {ClockLeapt, func(t *testing.T, r *reference) {
			r.find(t, func(c *Call) bool { return c.Read != nil }).Read.Ahead = time.Hour
		}},
		"a refusal had no reason": {NotLinearizable, func(t *testing.T, r *reference) {
			c := r.find(t, func(c *Call) bool { return answered(noFunds)(c) && len(c.Operations) == 1 })
			k := c.key()
			for _, other := range r.calls {
				if other.Operations != nil && other.key() == k && other.Outcome == Answered {
					other.Results[0] = proto.CloneOf(other.Results[0])
					other.Results[0].Available += 100_000
				}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(5) {
				r := newReference(seed, 1)
				r.run(80)
				c.spoil(t, r)
				v := r.check()
				if !slices.ContainsFunc(v.Violations, func(v Violation) bool { return v.Kind == c.want }) {
					t.Errorf("seed %d: %q not found, only %v", seed, c.want, v.Violations)
				}
			}
		})
	}
}

func TestGroupTakesEffectAsAWholeOrNotAtAll(t *testing.T) {
	debit := func(id, account string, amount int64, linked bool) *ballastv1.Operation {
		return &ballastv1.Operation{Id: id, Attempt: 1, Linked: linked, Kind: &ballastv1.Operation_Debit{Debit: &ballastv1.Debit{Account: account, Amount: amount}}}
	}
	initial := []*ballastv1.Account{{Id: "a", Posted: 5}, {Id: "b", Posted: 5}, {Id: "c"}}
	group := []*ballastv1.Operation{debit("x", "a", 3, true), debit("y", "a", 3, false)}
	refused := []*ballastv1.Result{
		{Code: ballastv1.ResultCode_RESULT_CODE_GROUP_REFUSED, Attempt: 1, FailedMember: 1},
		{Code: noFunds, Attempt: 1, Available: 2, Asked: 3},
	}
	wrong := []*ballastv1.Result{refused[0], {Code: noFunds, Attempt: 1, Available: 5, Asked: 3}}
	for _, c := range []struct {
		results []*ballastv1.Result
		after   int64
		good    bool
	}{{refused, 5, true}, {refused, 2, false}, {wrong, 5, false}} {
		cell := newCell(initial)
		reads := []*Call{{Start: 20, End: 30, Read: &Read{Accounts: []*ballastv1.Account{{Id: "a", Posted: c.after, Available: c.after}}}}}
		operations := cell.operations(reads, []*attempt{{attemptKey: attemptKey{"x", 1}, operations: group, start: 0, end: 10, results: c.results}})
		if good := porcupine.CheckOperations(cell.model(), operations); good != c.good {
			t.Errorf("answers %s, balance after %d: accepted %v", describe(c.results), c.after, good)
		}
	}
}

func TestDigests(t *testing.T) {
	var d Digests
	d.Add("n1", []*ballastv1.Checkpoint{{Index: 5, Digest: []byte("x")}, {Index: 9, Digest: []byte("y")}})
	d.Add("n2", []*ballastv1.Checkpoint{{Index: 5, Digest: []byte("x")}})
	d.Add("n2", []*ballastv1.Checkpoint{{Index: 5, Digest: []byte("x")}})
	if v := d.Check(); len(v) != 0 || d.Compared(2) != 1 || d.Compared(1) != 2 {
		t.Errorf("%v, %d indexes compared", v, d.Compared(2))
	}
	d.Add("n3", []*ballastv1.Checkpoint{{Index: 9, Digest: []byte("z")}})
	if v := d.Check(); len(v) != 1 || v[0].Kind != DigestsDiffer {
		t.Errorf("wanted one difference, found %v", v)
	}
}
