package content

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/backup"
	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/snapshots"
)

// Place is where a backup is restored: two directories that are there and empty.
type Place struct {
	// FS, nil: the real one.
	FS vfs.FS
	// Snapshots and Journal of the member to be.
	Snapshots, Journal string
	// Only is who begins the new cluster.
	Only raft.Server
	// Logger, nil: none.
	Logger hclog.Logger
}

// Restore makes the snapshot and the journal of a member out of a backup, in bounded memory but for the state, which is verified
// before anything is published. The same index, term, digest, ids and journal; another cluster's only member. When it returns nil
// all of it is durable; after an error what is there is of no use, and the directories must be emptied. progress is Verify's.
func Restore(r *backup.Reader, p Place, progress func(read uint64)) (_ *Summary, err error) {
	if p.FS == nil {
		p.FS = vfs.OS{}
	}
	if p.Logger == nil {
		p.Logger = hclog.NewNullLogger()
	}
	d := &disk{place: p}
	defer func() { err = errors.Join(err, d.close()) }()
	imported, s, err := read(r, d, progress)
	if err != nil {
		return nil, err
	}
	if err := d.publish(imported); err != nil {
		return nil, fmt.Errorf("make the restored snapshot and journal durable: %w", err)
	}
	return s, nil
}

// disk is a backup on its way to a member's disk.
type disk struct {
	place   Place
	store   *snapshots.Store
	writer  *snapshots.Writer
	journal *journal.Journal
}

func (d *disk) begin(from *snapshots.Import) (err error) {
	if d.journal, err = fsm.NewJournal(d.place.FS, d.place.Journal, d.place.Logger); err != nil {
		return err
	}
	if d.store, err = snapshots.Open(d.place.FS, d.place.Snapshots); err != nil {
		return err
	}
	d.writer, err = from.Begin(d.store)
	return err
}

func (d *disk) page(p page.Page) error { return d.writer.Page(p) }

func (d *disk) entries(entries []byte, count int, after journal.Hash) error {
	return d.journal.Import(entries, count, after)
}

// publish makes the journal durable, and then the manifest, which names it.
func (d *disk) publish(from *snapshots.Import) error {
	if err := d.journal.Sync(); err != nil {
		return err
	}
	return from.Found(d.writer, d.place.Only)
}

func (d *disk) close() error {
	var errs []error
	if d.writer != nil {
		errs = append(errs, d.writer.Abort()) // harmless once it is committed
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	if d.journal != nil {
		errs = append(errs, d.journal.Close())
	}
	return errors.Join(errs...)
}
