package content

import (
	"errors"
	"fmt"
	"io"

	"github.com/ballastdb/ballast/backup"
	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/snapshots"
)

// maxManifest bounds a manifest: one for some 250 GiB of state.
const maxManifest = 512 << 20

// Summary is a backup of which everything was verified.
type Summary struct {
	backup.About
	// Bytes of the backup.
	Bytes uint64
	// Ledgers and Accounts, system accounts included.
	Ledgers, Accounts uint64
}

// target takes what is read, while it is not verified as a whole yet.
type target interface {
	begin(*snapshots.Import) error
	page(page.Page) error
	entries(entries []byte, count int, after journal.Hash) error
}

// Verify reads a backup to its end and checks all of it: every checksum, the manifest, the chain of the journal, the digest, and
// that the books sum to zero. It needs the memory that a member with that state needs. progress, if given, is told how many bytes
// were read.
func Verify(r *backup.Reader, progress func(read uint64)) (*Summary, error) {
	_, s, err := read(r, nothing{}, progress)
	return s, err
}

type nothing struct{}

func (nothing) begin(*snapshots.Import) error           { return nil }
func (nothing) page(page.Page) error                    { return nil }
func (nothing) entries([]byte, int, journal.Hash) error { return nil }

// reading is a backup of which a part is read.
type reading struct {
	to       target
	manifest []byte
	imported *snapshots.Import // nil until the manifest is whole
	copied   *fsm.Copy
}

// read reads all of it into a target and verifies it.
func read(r *backup.Reader, to target, progress func(uint64)) (*snapshots.Import, *Summary, error) {
	in := &reading{to: to}
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if err := in.frame(f); err != nil {
			return nil, nil, wrong(f, err)
		}
		if progress != nil {
			progress(r.Offset())
		}
	}
	s, err := in.end(r)
	if err != nil {
		return nil, nil, fmt.Errorf("the backup is whole, and what it holds is wrong: %w", err)
	}
	return in.imported, s, nil
}

// wrong tells where in the backup something is; what went wrong elsewhere is no fault of it.
func wrong(f backup.Frame, err error) error {
	var elsewhere *targetError
	if errors.As(err, &elsewhere) {
		return err
	}
	return &backup.DamagedError{Offset: f.Offset, Part: f.Kind.String(), Reason: err}
}

// targetError is a failure to keep what was read.
type targetError struct{ error }

func (e *targetError) Unwrap() error { return e.error }

func kept(err error) error {
	if err == nil {
		return nil
	}
	return &targetError{err}
}

func (in *reading) frame(f backup.Frame) error {
	if f.Kind == backup.Manifest {
		if len(in.manifest)+len(f.Content) > maxManifest {
			return fmt.Errorf("expected a manifest of at most %d bytes, found more", maxManifest)
		}
		in.manifest = append(in.manifest, f.Content...)
		return nil
	}
	if err := in.begin(); err != nil {
		return err
	}
	if f.Kind == backup.Pages {
		return in.imported.Items(f.Content, func(p page.Page) error {
			if err := in.copied.Page(p); err != nil {
				return err
			}
			return kept(in.to.page(p))
		})
	}
	before := in.copied.At().Sequence
	if err := in.copied.Entries(f.Content); err != nil {
		return err
	}
	at := in.copied.At()
	return kept(in.to.entries(f.Content, int(at.Sequence-before), at.Hash))
}

// begin starts with the pages, once the manifest is whole.
func (in *reading) begin() (err error) {
	if in.imported != nil {
		return nil
	}
	if in.imported, err = snapshots.NewImport(in.manifest); err != nil {
		return err
	}
	in.manifest = nil
	if in.copied, err = fsm.NewCopy(in.imported.OwnerMeta()); err != nil {
		return err
	}
	return kept(in.to.begin(in.imported))
}

// end verifies the whole.
func (in *reading) end(r *backup.Reader) (*Summary, error) {
	if err := in.begin(); err != nil {
		return nil, err
	}
	if err := in.imported.Complete(); err != nil {
		return nil, err
	}
	if err := in.copied.Verify(); err != nil {
		return nil, err
	}
	s := &Summary{About: r.About(), Bytes: r.Offset()}
	s.Ledgers, s.Accounts = in.copied.Counts()
	d := in.imported.Describe()
	at := in.copied.Journal()
	if s.Index != d.Index || s.Term != d.Term || s.Digest != d.Digest || s.Entries != at.Sequence || s.EntryBytes != at.Bytes || s.LogTime != in.copied.LogTime() {
		return nil, fmt.Errorf("it is said to be of index %d, term %d, digest %s, with %d entries, and is of index %d, term %d, digest %s, with %d entries",
			s.Index, s.Term, s.Digest, s.Entries, d.Index, d.Term, d.Digest, at.Sequence)
	}
	return s, nil
}
