package fsm

import (
	"context"
	"errors"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/ledger"
)

// search finds an account's first entries above a sequence number, oldest first. The journal has no index by account, so it
// goes both ways in turns: back along the account's own entries from its newest, which is short where it has few, and
// forward through all entries, which is short where it has many. What it costs is about twice the shorter one.
type search struct {
	slot uint32
	// Wanted are entries above after and up to last, which is the account's newest of interest, at most limit of them.
	after, last uint64
	limit       int

	back wayBack
	fore wayForward
}

// wayBack has walked the account's entries down to next.
type wayBack struct {
	cursor *journal.Cursor
	next   uint64
	seen   []ledger.Entry // newest first; of many the oldest
	more   bool           // newer ones were dropped
	err    error
}

// wayForward has read all entries up to at.
type wayForward struct {
	cursor *journal.Cursor
	at     uint64
	found  []ledger.Entry // oldest first
	err    error
}

const (
	// stepsBack and bytesForward are one turn of each way: about as long as each other.
	stepsBack    = 16
	bytesForward = 64 << 10
)

// run returns the entries, and whether there are more up to last. Where neither way leads on, because entries are
// missing here, it returns what it has found so far, if anything.
func (s *search) run(ctx context.Context, j *journal.Journal) (found []ledger.Entry, more bool, err error) {
	if s.last <= s.after {
		return nil, false, nil
	}
	s.back = wayBack{cursor: j.Cursor(), next: s.last}
	s.fore = wayForward{cursor: j.Cursor(), at: s.after}
	defer func() { err = errors.Join(err, s.back.cursor.Close(), s.fore.cursor.Close()) }()
	for {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		if s.back.err == nil && s.stepBack() {
			return s.fromBack()
		}
		if s.fore.err == nil && s.stepForward() {
			n := len(s.fore.found)
			return s.fore.found, n > 0 && s.fore.found[n-1].Sequence < s.last, nil
		}
		if s.back.err != nil && s.fore.err != nil {
			if len(s.fore.found) > 0 && errors.Is(s.fore.err, ErrMissing) {
				return s.fore.found, true, nil
			}
			return nil, false, s.fore.err
		}
	}
}

// stepBack takes a turn; true: it has passed after, so that all is found.
func (s *search) stepBack() bool {
	b := &s.back
	for range stepsBack {
		if b.next <= s.after {
			return true
		}
		e, err := readEntry(b.cursor, b.next)
		if err == nil {
			b.next, err = leadsOn(&e, s.slot)
		}
		if err != nil {
			b.err = err
			return false
		}
		if b.seen = append(b.seen, e); len(b.seen) >= 2*s.limit {
			b.seen, b.more = append(b.seen[:0], b.seen[len(b.seen)-s.limit:]...), true
		}
	}
	return false
}

// fromBack is what the way back has found, turned round.
func (s *search) fromBack() ([]ledger.Entry, bool, error) {
	b := &s.back
	n := min(len(b.seen), s.limit)
	found := make([]ledger.Entry, n)
	for i := range found {
		found[i] = b.seen[len(b.seen)-1-i]
	}
	return found, b.more || len(b.seen) > n, nil
}

// stepForward takes a turn; true: there are as many as wanted, or it has come to last.
func (s *search) stepForward() bool {
	f := &s.fore
	b, err := f.cursor.Following(f.at, bytesForward)
	if err == nil && len(b) == 0 {
		err = journal.ErrReplaced // the state has more
	}
	if err != nil {
		f.err = readError(f.at+1, err)
		return false
	}
	for len(b) > 0 {
		e, n, err := ledger.DecodeEntry(b)
		if err != nil {
			f.err = err
			return false
		}
		f.at, b = e.Sequence, b[n:]
		if e.Sequence <= s.last && concerns(&e, s.slot) {
			f.found = append(f.found, e)
		}
		if len(f.found) == s.limit || f.at >= s.last {
			return true
		}
	}
	return false
}

// concerns: e is one of the entries of the account at slot.
func concerns(e *ledger.Entry, slot uint32) bool {
	return e.HasDebit && e.DebitSlot == slot || e.HasCredit && e.CreditSlot == slot
}

// sequenceAt is the first entry with a log time of at least t, or newest+1. Log time never falls from one entry to the next,
// and several may have the same. ErrMissing: it lies where entries are missing here.
func sequenceAt(ctx context.Context, c *journal.Cursor, t int64, newest uint64) (uint64, error) {
	low, high := uint64(1), newest+1 // it is one of these
	for low < high {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		middle := low + (high-low)/2
		e, err := readEntry(c, middle)
		var missing *journal.MissingError
		switch {
		case errors.As(err, &missing):
			if low, high, err = pastHole(c, missing, t, low, high); err != nil {
				return 0, err
			}
		case err != nil:
			return 0, err
		case e.Time < t:
			low = middle + 1
		default:
			high = middle
		}
	}
	return low, nil
}

// pastHole decides by the entries on both sides of a hole on which side the one is that is looked for.
func pastHole(c *journal.Cursor, missing *journal.MissingError, t int64, low, high uint64) (newLow, newHigh uint64, err error) {
	before, behind := missing.Hole.After.Sequence, missing.Hole.Until.Sequence+1
	if behind < high {
		e, err := readEntry(c, behind)
		if err != nil {
			return low, high, err
		}
		if e.Time < t {
			return behind + 1, high, nil
		}
	}
	if before >= low {
		e, err := readEntry(c, before)
		if err != nil {
			return low, high, err
		}
		if e.Time >= t {
			return low, before, nil
		}
	}
	return low, high, missing
}
