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
	// ErrUnknownAccount: there is no such account, or there was none at that time.
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

// StatementQuery says which entries of an account to list.
type StatementQuery struct {
	Account []byte
	// Only entries with a sequence number above After and below Before; 0: no bound.
	After, Before uint64
	// Only entries with a log time of From or later, and before Until, Unix nanoseconds; 0: no bound.
	From, Until int64
	// Forward lists the oldest first; otherwise the newest.
	Forward bool
	// Limit is how many entries a page has at most, at least 1.
	Limit int
}

// Statement is a page of an account's entries.
type Statement struct {
	// Account as it was at Index.
	Account ledger.Account
	// Entries in the order that was asked for.
	Entries []StatementEntry
	// Next is the Before of the next page, forward its After; 0: there is none.
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

// Statement reads a page of an account's entries. Backward it walks from each entry to the one before of the same account;
// forward, and to where it begins, it searches (see search). The page ends early before an entry that is not here yet; if
// none is here it is ErrMissing. ErrUnknownAccount: there is no such account.
func (f *FSM) Statement(ctx context.Context, q StatementQuery) (Statement, error) {
	st, newest, err := f.statementHead(q.Account)
	if err != nil {
		return Statement{}, err
	}
	c := f.journal.Cursor()
	err = f.fillStatement(ctx, c, &st, q, newest)
	if err = errors.Join(err, c.Close()); err != nil {
		return Statement{}, fmt.Errorf("statement of account %q: %w", q.Account, err)
	}
	f.name(st.Entries)
	return st, nil
}

// statementHead is what a read of the journal begins with: the account, and the newest entry of all.
func (f *FSM) statementHead(account []byte) (st Statement, newest uint64, err error) {
	f.ReadIndexed(func(s *ledger.State, index uint64) {
		found, ok := s.Account(account)
		if !ok {
			err = fmt.Errorf("%w: %q", ErrUnknownAccount, account)
		}
		st, newest = Statement{Account: found, Index: index, LogTime: s.LogTime()}, s.Sequence()
	})
	return st, newest, err
}

func (f *FSM) fillStatement(ctx context.Context, c *journal.Cursor, st *Statement, q StatementQuery, newest uint64) error {
	if q.Before == 0 || q.Before > newest {
		q.Before = newest + 1
	}
	for _, bound := range []struct {
		time int64
		set  func(first uint64)
	}{
		{q.From, func(first uint64) { q.After = max(q.After, first-1) }},
		{q.Until, func(first uint64) { q.Before = min(q.Before, first) }},
	} {
		if bound.time == 0 {
			continue
		}
		first, err := sequenceAt(ctx, c, bound.time, newest)
		if err != nil {
			return err
		}
		bound.set(first)
	}
	if q.Forward {
		return f.statementForward(ctx, st, q)
	}
	return f.statementBackward(ctx, c, st, q)
}

func (f *FSM) statementForward(ctx context.Context, st *Statement, q StatementQuery) error {
	if q.After+1 >= q.Before {
		return nil
	}
	s := search{slot: st.Account.Slot, after: q.After, last: st.Account.LastSequence, limit: q.Limit}
	found, more, err := s.run(ctx, f.journal)
	for _, e := range found {
		if e.Sequence >= q.Before {
			return err
		}
		st.Entries = append(st.Entries, StatementEntry{Entry: e})
	}
	if more {
		st.Next = found[len(found)-1].Sequence
	}
	return err
}

// statementBackward collects entries from the newest down.
func (f *FSM) statementBackward(ctx context.Context, c *journal.Cursor, st *Statement, q StatementQuery) error {
	sequence, err := f.newestBelow(ctx, c, &st.Account, q.Before)
	if err != nil {
		return err
	}
	for sequence > q.After && len(st.Entries) < q.Limit {
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
		st.Entries = append(st.Entries, StatementEntry{Entry: e})
		if sequence, err = leadsOn(&e, st.Account.Slot); err != nil {
			return err
		}
	}
	if n := len(st.Entries); n > 0 && sequence > q.After {
		st.Next = st.Entries[n-1].Sequence
	}
	return nil
}

// newestBelow is the account's newest entry with a sequence number below before; 0: it has none.
func (f *FSM) newestBelow(ctx context.Context, c *journal.Cursor, a *ledger.Account, before uint64) (uint64, error) {
	if before > a.LastSequence {
		return a.LastSequence, nil
	}
	e, err := readEntry(c, before)
	if err == nil && concerns(&e, a.Slot) { // the usual case: before is where the page before ended
		return leadsOn(&e, a.Slot)
	}
	s := search{slot: a.Slot, after: before - 1, last: a.LastSequence, limit: 1}
	found, _, err := s.run(ctx, f.journal)
	if err != nil {
		return 0, err
	}
	return leadsOn(&found[0], a.Slot)
}

// leadsOn is the entry before of the account at slot; 0: there is none.
func leadsOn(e *ledger.Entry, slot uint32) (uint64, error) {
	previous, ok := previousEntry(e, slot)
	if !ok || previous >= e.Sequence {
		return 0, fmt.Errorf("%w: entry %d does not lead on in the statement of account slot %d", journal.ErrCorrupt, e.Sequence, slot)
	}
	return previous, nil
}

// previousEntry is the previous entry of the account at slot, 0 for its first; false if e is not one of its entries.
func previousEntry(e *ledger.Entry, slot uint32) (uint64, bool) {
	switch {
	case e.HasDebit && e.DebitSlot == slot:
		return e.PrevDebit, true
	case e.HasCredit && e.CreditSlot == slot:
		return e.PrevCredit, true
	}
	return 0, false
}
