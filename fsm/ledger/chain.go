package ledger

import (
	"fmt"

	"github.com/ballastdb/ballast/fsm/page"
)

const seedChain = 0x636861696e // "chain"

// chain is the journal's hash after an entry, given the hash before it and the entry's bytes without link.
func chain(before page.Digest, body []byte) page.Digest {
	var b [32]byte
	le.PutUint64(b[:], before[0])
	le.PutUint64(b[8:], before[1])
	lo, hi := page.Hash(seedChain, body)
	le.PutUint64(b[16:], lo)
	le.PutUint64(b[24:], hi)
	lo, hi = page.Hash(seedChain, b[:])
	return page.Digest{lo, hi}
}

// Chain follows the journal's hash over entries read back. The zero value is the start of the journal. Each entry
// carries the low half of the hash; the whole of it is State.JournalHash.
type Chain struct {
	// Hash after the last entry verified.
	Hash page.Digest
	// Sequence of the last entry verified.
	Sequence uint64
}

// Verify checks that b begins with the entry that follows in the chain, in form too, and returns its length. An error
// wraps ErrEntryShort or ErrEntryCorrupt and leaves the chain where it was.
func (c *Chain) Verify(b []byte) (int, error) {
	if _, _, err := DecodeEntry(b); err != nil {
		return 0, fmt.Errorf("after entry %d: %w", c.Sequence, err)
	}
	return c.Step(b)
}

// Step is Verify without decoding the entry: it checks length, sequence number and link, which is enough to know that
// the bytes are the ones that were written.
func (c *Chain) Step(b []byte) (int, error) {
	n, err := EntryLen(b)
	if err == nil && len(b) < n {
		err = ErrEntryShort
	}
	if err != nil {
		return 0, fmt.Errorf("after entry %d: %w", c.Sequence, err)
	}
	if sequence := le.Uint64(b[8:]); sequence != c.Sequence+1 {
		return 0, fmt.Errorf("after entry %d: %w", c.Sequence, corrupt("sequence %d", sequence))
	}
	next := chain(c.Hash, b[:n-linkBytes])
	if link := le.Uint64(b[n-linkBytes:]); next[0] != link {
		return 0, fmt.Errorf("entry %d: %w", c.Sequence+1, corrupt("link %016x, the chain says %016x", link, next[0]))
	}
	c.Hash, c.Sequence = next, c.Sequence+1
	return n, nil
}
