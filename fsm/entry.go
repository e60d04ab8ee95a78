package fsm

import (
	"errors"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/page"
)

// entryFormat is what the ledger's entries are to the journal.
type entryFormat struct{}

// Size implements journal.Format.
func (entryFormat) Size(b []byte) (int, error) {
	n, err := ledger.EntryLen(b)
	if errors.Is(err, ledger.ErrEntryShort) {
		return 0, nil
	}
	return n, err
}

// Chain implements journal.Format.
func (entryFormat) Chain(before journal.Hash, sequence uint64, entry []byte) (journal.Hash, error) {
	c := ledger.Chain{Hash: page.Digest(before), Sequence: sequence - 1}
	_, err := c.Step(entry)
	return journal.Hash(c.Hash), err
}

// MaxSize implements journal.Format.
func (entryFormat) MaxSize() int { return ledger.MaxEntryBytes }
