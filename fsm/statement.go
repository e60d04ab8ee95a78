package fsm

import (
	"context"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/ledger"
)

// Errors of reads of the journal.
var (
	// ErrUnknownAccount: there is no such account.
	ErrUnknownAccount = errors.New("no such account")
	// ErrUnknownEntry: there is no entry of that sequence number.
	ErrUnknownEntry = errors.New("no such entry")
	// ErrChanged: a snapshot replaced the journal while it was being read. Try again.
	ErrChanged = errors.New("the journal was replaced while being read")
	// ErrMissing: the entry is not here yet; it is fetched from another member. The error names the *journal.MissingError.
	ErrMissing = journal.ErrMissing
)

// StatementEntry is an entry with the ids of its accounts, empty where it has none, and their ledger's name and scale.
type StatementEntry struct {
	ledger.Entry
	DebitAccount, CreditAccount string
	LedgerName                  string
	LedgerScale                 uint8
	// SourceAccount of a policy on top-ups that was set.
	SourceAccount string
}

// Statement is a page of an account's entries.
type Statement struct {
	// Account as it was at Index.
	Account ledger.Account
	// Entries, newest first.
	Entries []StatementEntry
	// Next is the before of the next page; 0: there is none.
	Next uint64
	// Index and LogTime of the state that was read.
	Index   uint64
	LogTime int64
}

// Entry reads an entry by its sequence number, from 1. ErrUnknownEntry: there is none. ErrMissing: it is not here yet.
func (f *FSM) Entry(sequence uint64) (ledger.Entry, error) {
	newest := uint64(0)
	f.Read(func(s *ledger.State) { newest = s.Sequence() })
	if sequence == 0 || sequence > newest {
		return ledger.Entry{}, fmt.Errorf("%w: sequence %d, there are 1 to %d", ErrUnknownEntry, sequence, newest)
	}
	c := f.journal.Cursor()
	e, err := readEntry(c, sequence)
	return e, errors.Join(err, c.Close())
}

// Statement reads up to limit entries of an account, newest first: those with a sequence number below before, or all for
// 0. It walks from each entry to the one before of the same account. A before that is not one of the account's own
// entries costs a walk from the newest. The page ends early before an entry that is not here yet; if none is here it is
// ErrMissing. ErrUnknownAccount: there is no such account.
func (f *FSM) Statement(ctx context.Context, account []byte, before uint64, limit int) (Statement, error) {
	st, err := f.statementHead(account)
	if err != nil {
		return Statement{}, err
	}
	c := f.journal.Cursor()
	err = walkStatement(ctx, c, &st, before, limit)
	if err = errors.Join(err, c.Close()); err != nil {
		return Statement{}, fmt.Errorf("statement of account %q: %w", account, err)
	}
	f.name(st.Entries)
	return st, nil
}

func (f *FSM) statementHead(account []byte) (st Statement, err error) {
	f.ReadIndexed(func(s *ledger.State, index uint64) {
		found, ok := s.Account(account)
		if !ok {
			err = fmt.Errorf("%w: %q", ErrUnknownAccount, account)
		}
		st = Statement{Account: found, Index: index, LogTime: s.LogTime()}
	})
	return st, err
}

// walkStatement collects entries from the newest down.
func walkStatement(ctx context.Context, c *journal.Cursor, st *Statement, before uint64, limit int) error {
	sequence := st.Account.LastSequence
	if before > 0 && before <= sequence {
		e, err := readEntry(c, before)
		if err != nil {
			return err
		}
		if previous, ok := previousEntry(&e, st.Account.Slot); ok {
			sequence = previous // the usual case: before is where the page before ended
		}
	}
	for sequence > 0 && len(st.Entries) < limit {
		if err := ctx.Err(); err != nil {
			return err
		}
		e, err := readEntry(c, sequence)
		if errors.Is(err, ErrMissing) && len(st.Entries) > 0 {
			break // what is here is of use; the next page says what is not
		}
		if err != nil {
			return err
		}
		if before == 0 || sequence < before {
			st.Entries = append(st.Entries, StatementEntry{Entry: e})
		}
		previous, ok := previousEntry(&e, st.Account.Slot)
		if !ok || previous >= sequence {
			return fmt.Errorf("%w: entry %d does not lead on in the statement of account slot %d", journal.ErrCorrupt, sequence, st.Account.Slot)
		}
		sequence = previous
	}
	if n := len(st.Entries); n > 0 && sequence > 0 {
		st.Next = st.Entries[n-1].Sequence
	}
	return nil
}

// previousEntry is the previous entry of the account at slot, 0 for its first; false if e is not one of its entries.
func previousEntry(e *ledger.Entry, slot uint32) (uint64, bool) {
	switch {
	case e.HasDebit && e.DebitSlot == slot:
		return e.PrevDebit, true
	case e.HasCredit && e.CreditSlot == slot:
		return e.PrevCredit, true
	case e.Kind == ledger.EntryLedgerCreated && e.CreditSlot+1 == slot:
		return 0, true // made together with the ledger's other system account
	}
	return 0, false
}
