package node

import (
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/proposal"
)

// OutdatedError says that this program is too old for what its cluster has agreed on, or for its own data directory: it met a
// command, a snapshot or a journal that it does not know, and stopped before it. Starting it again does not help.
type OutdatedError struct{ err error }

func (e *OutdatedError) Error() string {
	return fmt.Sprintf("this program is too old for its cluster: %v; nothing was changed or lost: install the version that the other members run, "+
		"then start it again", e.err)
}

// Unwrap is what it met.
func (e *OutdatedError) Unwrap() error { return e.err }

// outdated tells an error that is due to this program's age from others.
func outdated(err error) error {
	var known *OutdatedError
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, proposal.ErrNewerVersion), errors.Is(err, proposal.ErrUnknownKind), errors.Is(err, journal.ErrNewerVersion):
		return &OutdatedError{err}
	}
	return err
}
