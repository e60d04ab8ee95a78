package fsm

import (
	"fmt"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
)

// Copy is a state with its journal that was copied out of a member: it takes both in, in memory and as a hash, and
// verifies them. It belongs to no log. For one goroutine.
type Copy struct {
	header snapshotHeader
	state  *state
	at     journal.Position
}

// NewCopy begins with the meta of the snapshot that was copied.
func NewCopy(meta []byte) (*Copy, error) {
	header, err := decodeSnapshotHeader(meta)
	if err != nil {
		return nil, err
	}
	return &Copy{header: header, state: newState()}, nil
}

// Journal is where the journal that belongs to the snapshot of that meta ends.
func (c *Copy) Journal() journal.Position { return c.header.journal }

// LogTime is the state's, Unix nanoseconds.
func (c *Copy) LogTime() int64 { return c.header.logTime }

// At is the end of the entries that came so far.
func (c *Copy) At() journal.Position { return c.at }

// Page takes a page, its checksum verified, in order.
func (c *Copy) Page(p page.Page) error { return c.state.space().Load(p) }

// Entries takes whole entries of the journal, from its first, and follows their chain.
func (c *Copy) Entries(entries []byte) error {
	at, err := journal.Follow(entryFormat{}, c.at, entries)
	if err != nil {
		return err
	}
	c.at = at
	return nil
}

// Verify is nil where all of it is there and right: the journal leads to the hash that the state names, the digest computed from
// all pages is the one that the meta names, nothing in the state contradicts another part, and the books of every ledger sum to
// zero.
func (c *Copy) Verify() error {
	if c.at != c.header.journal {
		return fmt.Errorf("%w: its journal goes to entry %d, %d bytes, hash %016x; its state names entry %d, %d bytes, hash %016x", ErrCorruptSnapshot,
			c.at.Sequence, c.at.Bytes, c.at.Hash, c.header.journal.Sequence, c.header.journal.Bytes, c.header.journal.Hash)
	}
	if err := c.state.complete(&c.header, nil); err != nil {
		return err
	}
	return c.state.books.CheckBooks()
}

// Counts are how many ledgers and accounts the state has, once it is verified.
func (c *Copy) Counts() (ledgers, accounts uint64) {
	return uint64(len(c.state.books.Ledgers())), c.state.books.AccountCount()
}

// NewJournal makes the journal of a member that begins with a copy, in its own empty directory.
func NewJournal(fsys vfs.FS, dir string, logger hclog.Logger) (*journal.Journal, error) {
	j, err := journal.Open(journal.Config{Dir: dir, FS: fsys, Format: entryFormat{}, Logger: logger})
	if err != nil {
		return nil, err
	}
	if end := j.End(); end != (journal.Position{}) {
		_ = j.Close() // nothing was written
		return nil, fmt.Errorf("expected no journal in %s, found one to entry %d", dir, end.Sequence)
	}
	return j, nil
}
