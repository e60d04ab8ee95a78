// Package content is what a backup holds: it writes one of a member's newest snapshot and journal, reads and verifies one, and
// makes the snapshot and journal of a new member of it. docs/formats/backup.md has the format.
package content

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ballastdb/ballast/backup"
	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/snapshots"
)

// ErrNothing: the member has no snapshot that could be backed up.
var ErrNothing = errors.New("this member has no snapshot yet")

// Pieces of what has no frames of its own, bytes.
const (
	manifestPiece = 256 << 10
	entriesPiece  = 256 << 10
)

// Source is a member of which a backup is taken.
type Source struct {
	// Snapshot is open until Write has returned.
	Snapshot *snapshots.Export
	// Journal reads whole entries that follow entry after, at most maxBytes but at least one.
	Journal func(after uint64, maxBytes int) ([]byte, error)
}

// Describe fills in what the source knows.
func (s Source) Describe(about backup.About) (backup.About, error) {
	if s.Snapshot == nil {
		return about, ErrNothing
	}
	c, err := fsm.NewCopy(s.Snapshot.Meta())
	if err != nil {
		return about, err
	}
	d := s.Snapshot.Describe()
	about.Index, about.Term, about.Digest, about.LogTime = d.Index, d.Term, d.Digest, c.LogTime()
	about.Pages, about.PageBytes = uint64(d.Pages), d.Bytes
	about.Entries, about.EntryBytes = c.Journal().Sequence, c.Journal().Bytes
	return about, nil
}

// Write writes a backup, in bounded memory. about comes from Describe. Entries that are not here end it.
func Write(ctx context.Context, to io.Writer, s Source, about backup.About) error {
	w, err := backup.NewWriter(to, about)
	if err != nil {
		return err
	}
	for manifest := s.Snapshot.Manifest(); len(manifest) > 0; {
		n := min(len(manifest), manifestPiece)
		if err := w.Frame(backup.Manifest, manifest[:n]); err != nil {
			return err
		}
		manifest = manifest[n:]
	}
	err = s.Snapshot.Pages(ctx, func(items []byte) error { return w.Frame(backup.Pages, items) })
	if err != nil {
		return err
	}
	if err := s.entries(ctx, w); err != nil {
		return err
	}
	return w.End()
}

// entries writes the journal up to where the snapshot's state names it.
func (s Source) entries(ctx context.Context, w *backup.Writer) error {
	c, err := fsm.NewCopy(s.Snapshot.Meta())
	if err != nil {
		return err
	}
	for end := c.Journal(); c.At() != end; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// Entries beyond the snapshot's end must not come along: what is left is known in bytes.
		left := end.Bytes - c.At().Bytes
		entries, err := s.Journal(c.At().Sequence, int(min(left, entriesPiece)))
		if err != nil {
			return fmt.Errorf("read the journal behind entry %d: %w", c.At().Sequence, err)
		}
		if len(entries) == 0 || uint64(len(entries)) > left {
			return fmt.Errorf("read the journal behind entry %d: expected entries to %d of %d bytes, found %d bytes: the state and its journal differ",
				c.At().Sequence, end.Sequence, left, len(entries))
		}
		if err := c.Entries(entries); err != nil {
			return err
		}
		if err := w.Frame(backup.Entries, entries); err != nil {
			return err
		}
	}
	return nil
}
