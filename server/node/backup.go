package node

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ballastdb/ballast/backup"
	"github.com/ballastdb/ballast/backup/content"
	"github.com/ballastdb/ballast/internal/version"
	"github.com/ballastdb/ballast/server"
)

// backupPiece is what is sent of a backup at once.
const backupPiece = 128 << 10

// backups are this member's, for operators.
type backups struct{ n *node }

// Backup implements server.Backups. It shares the pace of all bulk that this member sends, so that it gives way to callers as a
// transfer to another member does.
func (b backups) Backup(ctx context.Context, least uint64, start func(index, expected uint64) error, send func(data []byte) error) error {
	source, about, err := b.source(least)
	if err != nil {
		return err
	}
	defer source.Snapshot.Close()
	if err := start(about.Index, about.Bytes()); err != nil {
		return err
	}
	to := bufio.NewWriterSize(pacedWriter{ctx, b.n.transport.Wait, send}, backupPiece)
	if err := content.Write(ctx, to, source, about); err != nil {
		return err
	}
	return to.Flush()
}

// source is what this member can be backed up from.
func (b backups) source(least uint64) (content.Source, backup.About, error) {
	n := b.n
	refuse := func(format string, args ...any) (content.Source, backup.About, error) {
		return content.Source{}, backup.About{}, fmt.Errorf("%w: %w", server.ErrNoBackup, fmt.Errorf(format, args...))
	}
	if err := n.machine.Halted(); err != nil {
		return refuse("its state is not to be trusted: %w", err)
	}
	if holes := n.machine.JournalHoles(); len(holes) > 0 {
		return refuse("entries %d to %d of its journal are still on their way from other members", holes[0].After.Sequence+1, holes[0].Until.Sequence)
	}
	snapshot, err := n.snapshots.Export()
	if err != nil {
		return content.Source{}, backup.About{}, err
	}
	if snapshot == nil {
		return refuse("%w; ballast snapshot take makes one", content.ErrNothing)
	}
	source := content.Source{Snapshot: snapshot, Journal: n.machine.ReadJournal}
	id := n.dir.Identity()
	about, err := source.Describe(backup.About{
		ClusterID: id.ClusterID.String(), Member: id.Name, Version: version.String(), TakenAt: time.Now().UTC().Truncate(time.Second),
	})
	if err == nil && about.Index < least {
		_, _, err = refuse("expected a snapshot of index %d or later, its newest is of %d: wait, or ask another member", least, about.Index)
	}
	if err != nil {
		snapshot.Close()
		return content.Source{}, backup.About{}, err
	}
	return source, about, nil
}

// pacedWriter sends at the pace of all bulk.
type pacedWriter struct {
	ctx  context.Context
	wait func(ctx context.Context, bytes int) error
	send func([]byte) error
}

// Write is io.Writer's.
func (w pacedWriter) Write(b []byte) (int, error) {
	for at := 0; at < len(b); {
		n := min(len(b)-at, backupPiece)
		if err := w.wait(w.ctx, n); err != nil {
			return at, err
		}
		// gRPC may look at it after send has returned.
		if err := w.send(bytes.Clone(b[at : at+n])); err != nil {
			return at, errors.Join(context.Cause(w.ctx), err)
		}
		at += n
	}
	return len(b), nil
}
