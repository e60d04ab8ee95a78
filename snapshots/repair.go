package snapshots

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
)

// OpenDamaged opens a directory that Open refuses, for Repair and nothing else. What is good in it is used again: pages
// are checked when they are read. Packs that are not as they should be count as lost, and a damaged manifest as if
// there were no snapshot. Nothing is removed.
func OpenDamaged(fsys vfs.FS, dir string) (*Store, error) {
	s, names, err := scan(fsys, dir)
	if err != nil || s.name == "" {
		return s, err
	}
	var damaged *DamagedError
	if err := s.load(true); err != nil && !errors.As(err, &damaged) {
		return nil, errors.Join(err, s.Close())
	}
	s.findArea(names)
	return s, nil
}

// Least is the index that the newest snapshot has, as its file's name says: damaged or not. 0: there is none.
func (s *Store) Least() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var index, term uint64
	_, _ = fmt.Sscanf(s.name, "%16x-%16x"+manifestSuffix, &index, &term)
	return index
}

// newestPath is the newest manifest's file.
func (s *Store) newestPath() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return filepath.Join(s.dir, s.name)
}

// Configuration is the one that the newest snapshot names; none where that cannot be read.
func (s *Store) Configuration() raft.Configuration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest == nil {
		return raft.Configuration{}
	}
	meta, err := decodeRaftMeta(s.newest.Meta)
	if err != nil {
		return raft.Configuration{}
	}
	return meta.configuration
}

// Offer is what another member's manifest says of its snapshot.
type Offer struct {
	Index, Term uint64
	Digest      page.Digest
	Pages       int
}

// ReadOffer reads an encoded manifest.
func ReadOffer(manifest []byte) (Offer, error) {
	m, err := decode(manifest)
	if err != nil {
		return Offer{}, err
	}
	if _, err := decodeRaftMeta(m.Meta); err != nil {
		return Offer{}, err
	}
	return Offer{Index: m.Index, Term: m.Term, Digest: m.Digest, Pages: m.Pages()}, nil
}

// Repair stages the snapshot of another member with this manifest, as Stage does, and makes it the newest in place of one
// that is damaged or wrong. Raft must not run: it is not asked. A snapshot of a lower index than the one here is refused;
// of the same it replaces that. Afterwards the owner holds the state ready for Restore. Open the directory again then.
func (s *RaftStore) Repair(ctx context.Context, manifest []byte, from Puller, progress func(Progress)) error {
	theirs, err := decode(manifest)
	if err != nil {
		return err
	}
	meta, err := decodeRaftMeta(theirs.Meta)
	if err != nil {
		return err
	}
	if least := s.Store.Least(); theirs.Index < least {
		return fmt.Errorf("snapshots: expected a snapshot of index %d or later, found one of %d", least, theirs.Index)
	}
	in, err := s.stage(ctx, theirs, from, progress)
	if err != nil {
		return err
	}
	meta.owner = in.meta
	if err := s.publish(in.writer, in.digest, meta, in.abort); err != nil {
		return err
	}
	s.installed(in.area)
	return nil
}

// lost stands for a pack that is not as it should be.
type lost struct {
	vfs.File
	reason error
}

// ReadAt implements vfs.File.
func (l lost) ReadAt([]byte, int64) (int, error) { return 0, l.reason }

// Close implements vfs.File.
func (lost) Close() error { return nil }
