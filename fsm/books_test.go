package fsm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/internal/vfs"
)

// accountsNow are all accounts as the state has them, as texts, in order of opening.
func accountsNow(f *FSM) (all []string) {
	f.Read(func(s *ledger.State) {
		for slot := range uint32(s.AccountCount()) {
			a, _ := s.AccountBySlot(slot)
			all = append(all, fmt.Sprintf("%+v", a))
		}
	})
	return all
}

// pinnedNow pins the accounts.
func pinnedNow(t *testing.T, f *FSM, most uint64) *Accounts {
	t.Helper()
	a, err := f.PinAccounts(most)
	must(t, err)
	t.Cleanup(func() { a.Close(nil) })
	return a
}

// TestPinnedAccounts: whatever is applied while they are read, they are as they were when they were pinned.
func TestPinnedAccounts(t *testing.T) {
	s := newScript(3).grow(40)
	many := make([]ledger.Operation, 500) // several pages
	for i := range many {
		many[i] = s.openAccount()
	}
	s.operations(many...)
	f := openOn(t, vfs.NewMem())
	rng := rand.New(rand.NewPCG(5, 5))
	deliver(f, s.logs, rng)
	for round := range 5 {
		want := accountsNow(f)
		index, _ := f.Applied()
		a := pinnedNow(t, f, 1<<20)
		if a.Index != index || a.Count() != uint64(len(want)) {
			t.Fatalf("pinned at %d with %d accounts, want %d with %d", a.Index, a.Count(), index, len(want))
		}
		f.Read(func(s *ledger.State) {
			if a.Sequence != s.Sequence() || a.LogTime != s.LogTime() {
				t.Errorf("pinned at entry %d, time %d; want %d, %d", a.Sequence, a.LogTime, s.Sequence(), s.LogTime())
			}
		})
		before := len(s.logs)
		s.grow(30)
		news, n := s.logs[before:], 0
		must(t, a.Each(func(account *ledger.Account) error {
			if got := fmt.Sprintf("%+v", *account); got != want[n] {
				t.Errorf("round %d, account %d: %s, want %s", round, n, got, want[n])
			}
			if n++; n%20 == 0 && len(news) > 0 {
				deliver(f, news[:1], rng)
				news = news[1:]
			}
			return nil
		}))
		if n != len(want) {
			t.Errorf("round %d: %d accounts were read, want %d", round, n, len(want))
		}
		deliver(f, news, rng)
		a.Close(nil)
	}
}

// TestPinnedAccountsEnd: what ends their reading, each with its reason.
func TestPinnedAccountsEnd(t *testing.T) {
	s := newScript(4)
	many := make([]ledger.Operation, 400)
	for i := range many {
		many[i] = s.openAccount()
	}
	s.operations(many...)
	start := len(s.logs)
	s.grow(40)
	reason := errors.New("the reader is gone")
	for name, c := range map[string]struct {
		most uint64
		end  func(*FSM, *Accounts)
		want error
	}{
		"overtaken": {64, func(f *FSM, _ *Accounts) { deliver(f, s.logs[start:], rand.New(rand.NewPCG(1, 2))) }, ErrOutrun},
		"closed":    {1 << 20, func(_ *FSM, a *Accounts) { a.Close(reason) }, reason},
		"restored":  {1 << 20, func(f *FSM, _ *Accounts) { must(t, restore(f, persist(t, f))) }, ErrChanged},
		"halted":    {1 << 20, func(f *FSM, _ *Accounts) { f.Halt(reason) }, reason},
	} {
		t.Run(name, func(t *testing.T) {
			f := openOn(t, vfs.NewMem())
			deliver(f, s.logs[:start], rand.New(rand.NewPCG(6, 6)))
			a, n := pinnedNow(t, f, c.most), 0
			err := a.Each(func(*ledger.Account) error {
				if n++; n == 1 {
					c.end(f, a)
				}
				return nil
			})
			if !errors.Is(err, c.want) || n == 0 || n >= int(a.Count()) {
				t.Errorf("after %d of %d accounts: %v, want %v", n, a.Count(), err, c.want)
			}
		})
	}
}
