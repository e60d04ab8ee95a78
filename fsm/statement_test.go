package fsm

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/internal/vfs"
)

// TestStatementsListEveryEntry compares each account's statement, in pages of different lengths, with a search through
// all entries, before and after a restore.
func TestStatementsListEveryEntry(t *testing.T) {
	s := newScript(11).grow(150)
	a := openOn(t, vfs.NewMem())
	deliver(a, s.logs, rand.New(rand.NewPCG(1, 1)))
	b := openOn(t, vfs.NewMem())
	must(t, install(b, persist(t, a)))
	for _, f := range []*FSM{a, b} {
		var newest uint64
		f.Read(func(s *ledger.State) { newest = s.Sequence() })
		want := map[string][]uint64{}
		for seq := newest; seq > 0; seq-- {
			e, err := f.Entry(seq)
			must(t, err)
			if e.Sequence != seq {
				t.Fatalf("entry %d has sequence number %d", seq, e.Sequence)
			}
			f.Read(func(s *ledger.State) {
				for _, id := range accountsOf(s, &e) {
					want[id] = append(want[id], seq)
				}
			})
		}
		for id, sequences := range want {
			for _, limit := range []int{1, 3, 1000} {
				if got := readStatement(t, f, id, limit); !equal(got, sequences) {
					t.Errorf("statement of %s in pages of %d: %v, want %v", id, limit, got, sequences)
				}
			}
			before := sequences[len(sequences)/2] + 1 // hardly ever one of its own
			st, err := f.Statement(t.Context(), StatementQuery{Account: []byte(id), Before: before, Limit: 1})
			if must(t, err); st.Entries[0].Sequence != sequences[len(sequences)/2] {
				t.Errorf("statement of %s before %d begins with %d, want %d", id, before, st.Entries[0].Sequence, before-1)
			}
		}
	}
	if _, err := a.Statement(t.Context(), StatementQuery{Account: []byte("nobody"), Before: 0, Limit: 10}); !errors.Is(err, ErrUnknownAccount) {
		t.Errorf("statement of an unknown account: %v", err)
	}
	for _, seq := range []uint64{0, 1 << 40} {
		if _, err := a.Entry(seq); !errors.Is(err, ErrUnknownEntry) {
			t.Errorf("entry %d: %v, want ErrUnknownEntry", seq, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Statement(ctx, StatementQuery{Account: []byte("account-0"), Before: 0, Limit: 10}); !errors.Is(err, context.Canceled) {
		t.Errorf("statement for a caller that is gone: %v", err)
	}
}

func accountsOf(s *ledger.State, e *ledger.Entry) []string {
	var ids []string
	add := func(slot uint32) {
		a, _ := s.AccountBySlot(slot)
		ids = append(ids, a.ID)
	}
	if e.HasDebit {
		add(e.DebitSlot)
	}
	if e.HasCredit {
		add(e.CreditSlot)
	}
	return ids
}

func readStatement(t *testing.T, f *FSM, id string, limit int) []uint64 {
	t.Helper()
	var got []uint64
	for before := uint64(0); ; {
		st, err := f.Statement(t.Context(), StatementQuery{Account: []byte(id), Before: before, Limit: limit})
		must(t, err)
		for _, e := range st.Entries {
			got = append(got, e.Sequence)
			if e.DebitAccount != id && e.CreditAccount != id {
				t.Errorf("entry %d of %s names %q and %q", e.Sequence, id, e.DebitAccount, e.CreditAccount)
			}
		}
		if before = st.Next; before == 0 {
			return got
		}
	}
}

func equal(a, b []uint64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
