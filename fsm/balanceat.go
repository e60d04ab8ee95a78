package fsm

import (
	"context"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/ledger"
)

// PastBalance is what an account's posted balance was right after an entry.
type PastBalance struct {
	// Account as it is at Index.
	Account ledger.Account
	// Sequence of the last entry of all that counts, 0: none does. Of entries with the same log time all count.
	Sequence uint64
	// Posted was the balance then, minor units.
	Posted int64
	// LastSequence was the account's newest entry then; 0: it had none.
	LastSequence uint64
	// Final: nothing changes this answer any more. The balance at a time that log time has not passed yet is not final.
	Final bool
	// Index and LogTime of the state that was read.
	Index   uint64
	LogTime int64
}

// BalanceAfter tells an account's balance right after an entry, 0: before the first. ErrUnknownEntry: there is no such entry
// yet. ErrUnknownAccount: there is no such account, or there was none then. ErrMissing: entries that tell are not here yet.
func (f *FSM) BalanceAfter(ctx context.Context, account []byte, sequence uint64) (PastBalance, error) {
	st, newest, err := f.statementHead(account)
	if err == nil && sequence > newest {
		err = fmt.Errorf("%w: sequence %d, there are 1 to %d", ErrUnknownEntry, sequence, newest)
	}
	if err != nil {
		return PastBalance{}, err
	}
	return f.balanceAfter(ctx, &st, sequence, true)
}

// BalanceAt tells an account's balance at a log time, Unix nanoseconds: after all entries of that time and before. Errors are
// those of BalanceAfter, but for ErrUnknownEntry: what is to come does not count.
func (f *FSM) BalanceAt(ctx context.Context, account []byte, time int64) (PastBalance, error) {
	st, newest, err := f.statementHead(account)
	if err != nil {
		return PastBalance{}, err
	}
	after := newest
	if time < st.LogTime {
		c := f.journal.Cursor()
		var first uint64
		first, err = sequenceAt(ctx, c, time+1, newest)
		if err = errors.Join(err, c.Close()); err != nil {
			return PastBalance{}, fmt.Errorf("balance of account %q: %w", account, err)
		}
		after = first - 1
	}
	return f.balanceAfter(ctx, &st, after, time < st.LogTime)
}

// balanceAfter goes by the account's next entry, which tells the balance before it as well: nothing older has to be read.
func (f *FSM) balanceAfter(ctx context.Context, st *Statement, sequence uint64, final bool) (PastBalance, error) {
	a := &st.Account
	b := PastBalance{
		Account: *a, Sequence: sequence, Posted: a.Posted, LastSequence: a.LastSequence, Final: final, Index: st.Index, LogTime: st.LogTime,
	}
	if sequence >= a.LastSequence {
		return b, nil
	}
	s := search{slot: a.Slot, after: sequence, last: a.LastSequence, limit: 1}
	found, _, err := s.run(ctx, f.journal)
	if err != nil {
		return PastBalance{}, fmt.Errorf("balance of account %q: %w", a.ID, err)
	}
	next := &found[0]
	if next.Kind == ledger.EntryAccountCreated || next.Kind == ledger.EntryLedgerCreated {
		return PastBalance{}, fmt.Errorf("%w: %q was opened by entry %d", ErrUnknownAccount, a.ID, next.Sequence)
	}
	if b.LastSequence, err = leadsOn(next, a.Slot); err != nil {
		return PastBalance{}, err
	}
	b.Posted = next.CreditPosted - next.Amount
	if next.HasDebit && next.DebitSlot == a.Slot {
		b.Posted = next.DebitPosted + next.Amount
	}
	return b, nil
}
