package fsm

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/internal/vfs"
)

// pastModel is the history as a plain list.
type pastModel struct {
	all      []StatementEntry
	accounts []string
}

func newPastModel(t *testing.T, whole *FSM) *pastModel {
	t.Helper()
	all, err := readFeed(t, whole, 0, 1<<20)
	must(t, err)
	m := &pastModel{all: all, accounts: []string{"@usd/credits", "@usd/debits"}}
	for _, e := range all {
		if e.Kind == ledger.EntryAccountCreated {
			m.accounts = append(m.accounts, e.CreditAccount)
		}
	}
	return m
}

// list is what a query must answer, all pages together.
func (m *pastModel) list(q StatementQuery) (want []uint64) {
	for _, e := range m.all {
		if id := string(q.Account); e.DebitAccount != id && e.CreditAccount != id ||
			e.Sequence <= q.After || q.Before != 0 && e.Sequence >= q.Before || q.From != 0 && e.Time < q.From || q.Until != 0 && e.Time >= q.Until {
			continue
		}
		want = append(want, e.Sequence)
	}
	if !q.Forward {
		slices.Reverse(want)
	}
	return want
}

// posted is an account's balance after an entry; false: it was not open then.
func (m *pastModel) posted(id string, sequence uint64) (posted int64, last uint64, open bool) {
	open = id == "@usd/debits" && sequence > 0 // no entry names it when it is made
	for _, e := range m.all[:sequence] {
		switch id {
		case e.DebitAccount:
			posted, last, open = e.DebitPosted, e.Sequence, true
		case e.CreditAccount:
			posted, last, open = e.CreditPosted, e.Sequence, true
		}
	}
	return posted, last, open
}

// query draws one; times and numbers are often those of entries.
func (m *pastModel) query(rng *rand.Rand) StatementQuery {
	q := StatementQuery{Account: []byte(m.accounts[rng.IntN(len(m.accounts))]), Forward: rng.IntN(2) == 0, Limit: 1 + rng.IntN(9)}
	number := func() uint64 { return uint64(rng.IntN(len(m.all) + 3)) }
	time := func() int64 { return m.all[rng.IntN(len(m.all))].Time + rng.Int64N(3) - 1 }
	if rng.IntN(2) == 0 {
		q.After = number()
	}
	if rng.IntN(2) == 0 {
		q.Before = number()
	}
	if rng.IntN(3) == 0 {
		q.From = time()
	}
	if rng.IntN(3) == 0 {
		q.Until = time()
	}
	return q
}

// pages reads all pages of a query. With an error, they are what came before it.
func pages(t *testing.T, f *FSM, q StatementQuery) (got []uint64, err error) {
	t.Helper()
	for {
		st, err := f.Statement(t.Context(), q)
		if err != nil {
			return got, err
		}
		if len(st.Entries) > q.Limit || st.Next != 0 && len(st.Entries) == 0 {
			t.Fatalf("%+v: %d entries, the next page is at %d", q, len(st.Entries), st.Next)
		}
		for _, e := range st.Entries {
			got = append(got, e.Sequence)
		}
		switch {
		case st.Next == 0:
			return got, nil
		case q.Forward:
			q.After = st.Next
		default:
			q.Before = st.Next
		}
	}
}

// TestPastAgainstModel: statements and balances of the past are those of a plain list of all entries; where entries are missing,
// an answer is right as far as it goes, or says so.
func TestPastAgainstModel(t *testing.T) {
	for seed := range uint64(2) {
		log := newScript(seed).grow(60).logs
		whole := openOn(t, vfs.NewMem())
		whole.ApplyBatch(log[:40])
		snapshot := persist(t, whole)
		whole.ApplyBatch(log[40:])
		m := newPastModel(t, whole)
		holed := openOn(t, vfs.NewMem())
		holed.ApplyBatch(log[:8+4*seed])
		must(t, receive(holed, snapshot))
		must(t, restore(holed, snapshot))
		holed.ApplyBatch(log[40:])
		rng := rand.New(rand.NewPCG(seed, 3))
		var right, missing int
		for range 200 {
			q := m.query(rng)
			want := m.list(q)
			got, err := pages(t, whole, q)
			if must(t, err); !slices.Equal(got, want) {
				t.Fatalf("%+v: %v, want %v", q, got, want)
			}
			got, err = pages(t, holed, q)
			if err == nil {
				right++
			} else if missing++; !errors.Is(err, ErrMissing) {
				t.Fatalf("%+v: %v", q, err)
			}
			if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) || err == nil && len(got) < len(want) {
				t.Fatalf("%+v where entries are missing: %v (%v), want %v", q, got, err, want)
			}
		}
		if right < 25 || missing < 25 {
			t.Errorf("with a hole %d queries were answered, %d not", right, missing)
		}
		m.checkBalances(t, whole, false)
		m.checkBalances(t, holed, true)
	}
}

func (m *pastModel) checkBalances(t *testing.T, f *FSM, holes bool) {
	t.Helper()
	var right, missing int
	check := func(what string, id string, sequence uint64, b PastBalance, err error) {
		t.Helper()
		posted, last, open := m.posted(id, sequence)
		switch {
		case holes && errors.Is(err, ErrMissing):
			missing++
		case errors.Is(err, ErrUnknownAccount):
			if open {
				t.Fatalf("%s of %s: %v, want %d", what, id, err, posted)
			}
		case err != nil:
			t.Fatalf("%s of %s: %v", what, id, err)
		case b.Posted != posted || b.LastSequence != last || b.Sequence != sequence:
			t.Fatalf("%s of %s: %+v, want %d by entry %d", what, id, b, posted, last)
		case !open && id != "@usd/debits":
			t.Fatalf("%s of %s: %+v, it was not open", what, id, b)
		default:
			right++
		}
	}
	logTime := f.Head().LogTime
	for _, id := range m.accounts {
		for sequence := uint64(0); sequence <= uint64(len(m.all)); sequence += 2 {
			b, err := f.BalanceAfter(t.Context(), []byte(id), sequence)
			check("balance", id, sequence, b, err)
			if err == nil && !b.Final {
				t.Fatalf("balance of %s after %d is not final", id, sequence)
			}
		}
		for i := 0; i < len(m.all); i += 5 {
			e := m.all[i]
			for _, time := range []int64{e.Time - 1, e.Time, e.Time + 1} {
				sequence := uint64(0)
				for _, other := range m.all {
					if other.Time <= time {
						sequence = other.Sequence
					}
				}
				b, err := f.BalanceAt(t.Context(), []byte(id), time)
				check("balance at a time", id, sequence, b, err)
				if err == nil && b.Final != (time < logTime) {
					t.Fatalf("balance of %s at %d is final: %v, log time is %d (entry %d)", id, time, b.Final, logTime, i)
				}
			}
		}
	}
	if right == 0 || holes && missing == 0 {
		t.Errorf("%d balances are told, %d are missing", right, missing)
	}
}

func TestPastOfNobody(t *testing.T) {
	f := openOn(t, vfs.NewMem())
	f.ApplyBatch(newScript(1).grow(5).logs)
	head := f.Head()
	if _, err := f.BalanceAfter(t.Context(), []byte("nobody"), 1); !errors.Is(err, ErrUnknownAccount) {
		t.Errorf("balance of nobody: %v", err)
	}
	if _, err := f.BalanceAt(t.Context(), []byte("nobody"), 1); !errors.Is(err, ErrUnknownAccount) {
		t.Errorf("balance of nobody at a time: %v", err)
	}
	if _, err := f.BalanceAfter(t.Context(), []byte("account-0"), head.Sequence+1); !errors.Is(err, ErrUnknownEntry) {
		t.Errorf("balance after an entry to come: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, q := range map[string]StatementQuery{
		"forward": {Forward: true, Limit: 1}, "backward": {Limit: 1}, "by time": {From: head.LogTime, Limit: 1},
	} {
		q.Account = []byte("account-0")
		if _, err := f.Statement(ctx, q); !errors.Is(err, context.Canceled) {
			t.Errorf("%s for a caller that is gone: %v", name, err)
		}
	}
}
