package server

import (
	"context"
	"errors"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
)

// original tells what an entry moved, for the proposal of its reversal: the state keeps no entries, and never reads the
// journal. An entry that this member does not have yet may be acknowledged all the same: only what is not there after
// a linearizable read does not exist; then the zero value is told, and the state refuses. An error is a *Failure.
func (m *Money) original(ctx context.Context, sequence uint64) (ledger.Original, error) {
	e, err := m.cfg.Store.Entry(sequence)
	if errors.Is(err, fsm.ErrUnknownEntry) {
		if _, failed := m.cfg.Reads.Wait(ctx); failed != nil {
			return ledger.Original{}, m.hinted(failed)
		}
		e, err = m.cfg.Store.Entry(sequence)
	}
	switch {
	case errors.Is(err, fsm.ErrUnknownEntry):
		return ledger.Original{}, nil
	case err != nil:
		return ledger.Original{}, journalFailure(ctx, err)
	}
	return ledger.OriginalOf(&e), nil
}
