package fsm

import (
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/ledger"
)

// errAccountsClosed ends reading accounts that their owner closed without a reason.
var errAccountsClosed = errors.New("the accounts were closed")

// ErrOutrun ends reading pinned accounts: more changed meanwhile than may be kept.
var ErrOutrun = errors.New("more changed while the accounts were read than is kept for that")

// Accounts are all accounts as they were at one log index, while the state goes on. They cost memory for what changes and was not
// read yet. For one reader; Close may be called beside it.
type Accounts struct {
	// Index and LogTime (Unix nanoseconds) of the state that they are of, and the sequence number of its newest entry.
	Index    uint64
	LogTime  int64
	Sequence uint64

	f      *FSM
	state  *state
	pinned *ledger.Pinned
	most   uint64 // bytes that may be kept
	ended  error  // mu of the FSM guards it
}

// PinAccounts pins all accounts as they are, to be read while at most so many bytes change that are not read yet. Close them.
func (f *FSM) PinAccounts(most uint64) (*Accounts, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.halted(); err != nil {
		return nil, err
	}
	books := f.state.books
	return &Accounts{
		Index: f.index, LogTime: books.LogTime(), Sequence: books.Sequence(),
		f: f, state: f.state, pinned: books.PinAccounts(f.mu.RLocker()), most: most,
	}, nil
}

// Count is how many they are, system accounts included.
func (a *Accounts) Count() uint64 { return a.pinned.Count() }

// Each yields them in order of opening, without their caps, once, and stops at the first error: yield's, Close's, ErrOutrun,
// ErrChanged where a snapshot took the place of the state, or why nothing is applied any more.
func (a *Accounts) Each(yield func(*ledger.Account) error) error { return a.pinned.Each(a.may, yield) }

// may tells whether what is read next is still what was pinned. The caller has shared access.
func (a *Accounts) may() error {
	switch {
	case a.ended != nil:
		return a.ended
	case a.f.halted() != nil:
		return a.f.halted()
	case a.f.state != a.state: // whose pages may be changed without being kept
		return ErrChanged
	case a.pinned.Preserved() > a.most:
		return fmt.Errorf("%w: %d bytes", ErrOutrun, a.most)
	}
	return nil
}

// Close ends what they cost, and a reading under way with the reason. Closing them again is harmless.
func (a *Accounts) Close(reason error) {
	a.f.mu.Lock()
	defer a.f.mu.Unlock()
	if a.ended != nil {
		return
	}
	if a.ended = reason; reason == nil {
		a.ended = errAccountsClosed
	}
	a.pinned.Close()
}
