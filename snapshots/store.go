// Package snapshots keeps the newest snapshot of a state on disk, written incrementally as packs of pages and a
// manifest. README.md has the format, what survives which crash, and the trade-offs.
package snapshots

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/guard"
	"github.com/ballastdb/ballast/internal/vfs"
)

// ErrReopen is what a store answers after an error that leaves open which manifest a power cut would find: open the
// directory again.
var ErrReopen = errors.New("snapshots: an earlier commit failed half-way; open the directory again to learn what is there")

// ErrBusy is what Begin answers while another snapshot is being written.
var ErrBusy = errors.New("snapshots: another snapshot is being written")

// DamagedError names a file that is not what it was written as. Nothing of it was served. The snapshot cannot be used,
// and an older one must not be: stage a newer one from another member, or restore the file.
type DamagedError struct {
	File   string
	Page   *page.ID // the page in it, where it is one
	Reason error
}

// Error implements error.
func (e *DamagedError) Error() string {
	what := e.File
	if e.Page != nil {
		what = fmt.Sprintf("page %d of table %d in %s", e.Page.Number, e.Page.Table, e.File)
	}
	return fmt.Sprintf("snapshots: %s is damaged: %v; it is not used, and nothing older is: take a newer snapshot from another member", what, e.Reason)
}

// Unwrap gives the reason.
func (e *DamagedError) Unwrap() error { return e.Reason }

// Store is a directory of packs and one manifest. It is safe for concurrent use.
type Store struct {
	fs    vfs.FS
	dir   string
	steps steps // of writing packs

	mu       sync.Mutex
	newest   *Manifest         // nil: no snapshot yet
	name     string            // of its file
	packs    map[uint64]*pack  // open, by number
	readers  map[uint64]int    // pack number -> open snapshots that need it
	doomed   map[uint64]string // packs to remove when their last reader closes
	next     uint64            // number of the next pack
	left     uint64            // number of the staging area that Open has found; 0: none
	writing  bool              // a Writer of Begin is open
	staging  bool              // a Writer of BeginStaged is open
	poisoned bool
}

// Open opens a directory that exists. It removes what an interrupted snapshot left, and reads and checks the newest
// manifest; a damaged one is an error (DamagedError), never a reason to serve an older one.
func Open(fsys vfs.FS, dir string) (*Store, error) {
	s, names, err := scan(fsys, dir)
	if err != nil {
		return nil, err
	}
	manifests := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.HasSuffix(name, manifestSuffix) })
	slices.Sort(manifests) // fixed-width hex: the last is the newest
	for _, name := range slices.Backward(manifests) {
		s.name = name
		err := s.load(false)
		if err == nil {
			break
		}
		if guard.On(guardFallBack) { // the log behind an older one may be gone
			return nil, errors.Join(err, s.Close())
		}
	}
	if err := s.sweep(names); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// scan makes a store that knows the names in its directory: that of the newest manifest, the numbers that are taken, the
// staging area.
func scan(fsys vfs.FS, dir string) (*Store, []string, error) {
	s := &Store{fs: fsys, dir: dir, steps: usualSteps(), packs: map[uint64]*pack{}, readers: map[uint64]int{}, doomed: map[uint64]string{}, next: 1}
	names, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, manifestSuffix) {
			s.name = max(s.name, name)
		}
		var n uint64
		if _, err := fmt.Sscanf(name, "%16x"+packSuffix, &n); err == nil && n >= s.next {
			s.next = n + 1
		}
	}
	return s, names, nil
}

const (
	manifestSuffix = ".manifest"
	packSuffix     = ".pack"
)

func packName(number uint64) string { return fmt.Sprintf("%016x%s", number, packSuffix) }

func manifestName(m *Manifest) string {
	return fmt.Sprintf("%016x-%016x%s", m.Index, m.Term, manifestSuffix)
}

// load reads the manifest s.name and opens its packs; lenient: those that are not as they should be count as lost.
func (s *Store) load(lenient bool) error {
	path := filepath.Join(s.dir, s.name)
	b, err := vfs.ReadFile(s.fs, path, maxManifestSize)
	if err != nil {
		return &DamagedError{File: path, Reason: err}
	}
	m, err := decode(b)
	if err != nil {
		return &DamagedError{File: path, Reason: err}
	}
	if manifestName(m) != s.name {
		return &DamagedError{File: path, Reason: fmt.Errorf("it is that of index %d, term %d", m.Index, m.Term)}
	}
	for _, ref := range m.packs {
		path := filepath.Join(s.dir, packName(ref.number))
		p, err := openPack(s.fs, path, ref)
		if err != nil && !lenient {
			return err
		}
		if err != nil {
			p = &pack{file: lost{reason: err}, path: path, number: ref.number}
		}
		s.packs[ref.number] = p
	}
	s.newest = m
	return nil
}

// sweep removes the files that neither the newest manifest needs nor the newest staging area.
func (s *Store) sweep(names []string) error {
	keep := map[string]bool{s.name: true}
	for number := range s.packs {
		keep[packName(number)] = true
	}
	s.findArea(names)
	if s.left > 0 {
		keep[packName(s.left)], keep[areaName(s.left)] = true, true
	}
	for _, name := range names {
		ours := strings.HasSuffix(name, manifestSuffix) || strings.HasSuffix(name, packSuffix) || strings.HasSuffix(name, areaSuffix) || strings.HasSuffix(name, vfs.TempSuffix)
		if !ours || keep[name] {
			continue
		}
		if err := s.fs.Remove(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	// Not synced: what a power cut brings back is swept again.
	return nil
}

// findArea finds the newest staging area among the names.
func (s *Store) findArea(names []string) {
	for _, name := range names {
		var n uint64
		if _, err := fmt.Sscanf(name, "%16x"+areaSuffix, &n); err == nil && name == areaName(n) && n > s.left && s.packs[n] == nil && slices.Contains(names, packName(n)) {
			s.left = n
		}
	}
}

// Newest opens the newest snapshot for reading; nil where there is none yet. Its packs stay until it is closed.
func (s *Store) Newest() (*Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poisoned {
		return nil, ErrReopen
	}
	if s.newest == nil {
		return nil, nil //nolint:nilnil // documented: no snapshot is no error
	}
	sn := &Snapshot{Manifest: s.newest, store: s, openPacks: make([]*pack, len(s.newest.packs))}
	for i, ref := range s.newest.packs {
		sn.openPacks[i] = s.packs[ref.number]
		s.readers[ref.number]++
	}
	return sn, nil
}

// At is the index and term of the newest snapshot; 0 where there is none, or it is not known.
func (s *Store) At() (index, term uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poisoned || s.newest == nil {
		return 0, 0
	}
	return s.newest.Index, s.newest.Term
}

// release gives up a reader's packs and removes those that nobody needs any more.
func (s *Store) release(packs []*pack) error {
	var errs []error
	var paths []string
	s.mu.Lock()
	for _, p := range packs {
		s.readers[p.number]--
		if s.readers[p.number] > 0 {
			continue
		}
		delete(s.readers, p.number)
		if path, ok := s.doomed[p.number]; ok {
			delete(s.doomed, p.number)
			errs, paths = append(errs, s.drop(p.number)), append(paths, path)
		}
	}
	s.mu.Unlock()
	return errors.Join(append(errs, s.free(paths))...)
}

// drop closes a pack that nobody needs any more. Its file is to be removed without the lock.
func (s *Store) drop(number uint64) error {
	err := s.packs[number].file.Close()
	delete(s.packs, number)
	return err
}

// commit makes m the newest manifest. The packs that it needs are durable and open already; fresh, if any, is new.
func (s *Store) commit(m *Manifest, fresh *pack) error {
	unneeded, err := s.replace(m, fresh)
	if left := s.free(unneeded); left != nil {
		err = errors.Join(err, &LeftoverError{left})
	}
	return err
}

// replace does it, and answers the files of packs that are not needed any more.
func (s *Store) replace(m *Manifest, fresh *pack) (unneeded []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poisoned {
		return nil, ErrReopen
	}
	if s.newest != nil && m.before(s.newest) {
		return nil, fmt.Errorf("snapshots: index %d, term %d is older than the newest snapshot's index %d, term %d", m.Index, m.Term, s.newest.Index, s.newest.Term)
	}
	path := filepath.Join(s.dir, manifestName(m))
	if err := s.writeManifest(path, m.encode()); err != nil {
		return nil, err
	}
	// From here a power cut finds the new snapshot.
	if fresh != nil {
		s.packs[fresh.number] = fresh
	}
	for _, ref := range m.packs {
		delete(s.doomed, ref.number) // the one before did not need it, this one does
	}
	old, oldName := s.newest, s.name
	s.newest, s.name = m, manifestName(m)
	if old == nil {
		return nil, nil
	}
	return s.discard(old, oldName)
}

// writeManifest makes the manifest durable. An error at or behind the rename poisons the store.
func (s *Store) writeManifest(path string, b []byte) error {
	tmp := path + vfs.TempSuffix
	f, err := s.fs.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, s.fs.Remove(tmp))
	}
	err = s.fs.Rename(tmp, path)
	if err == nil {
		err = s.fs.SyncDir(s.dir)
	}
	s.poisoned = err != nil
	return err
}

// unused reports whether a pack that commit was given, and failed with, is certainly needed by no manifest on the disk.
func (s *Store) unused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.poisoned
}

// discard removes the manifest before, and answers the files of the packs that only it needed.
func (s *Store) discard(old *Manifest, oldName string) (unneeded []string, err error) {
	var errs []error
	if oldName != s.name {
		errs = append(errs, s.fs.Remove(filepath.Join(s.dir, oldName)))
	}
	needed := map[uint64]bool{}
	for _, ref := range s.newest.packs {
		needed[ref.number] = true
	}
	for _, ref := range old.packs {
		path := filepath.Join(s.dir, packName(ref.number))
		switch {
		case needed[ref.number]:
		case s.readers[ref.number] > 0:
			s.doomed[ref.number] = path
		default:
			errs, unneeded = append(errs, s.drop(ref.number)), append(unneeded, path)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return unneeded, &LeftoverError{err}
	}
	return unneeded, nil
}

// LeftoverError: the snapshot is taken, but what it replaces could not be removed. The next Open does it.
type LeftoverError struct{ Reason error }

// Error implements error.
func (e *LeftoverError) Error() string {
	return fmt.Sprintf("snapshots: the snapshot is taken, but what it replaces could not be removed: %v", e.Reason)
}

// Unwrap gives the reason.
func (e *LeftoverError) Unwrap() error { return e.Reason }

// newArea makes an empty staging area.
func (s *Store) newArea() (*area, error) {
	s.mu.Lock()
	number := s.next
	s.next++
	s.mu.Unlock()
	return createArea(s.fs, s.dir, number)
}

// leftArea opens the staging area that another run has left, once; nil: there is none.
func (s *Store) leftArea() (*area, error) {
	s.mu.Lock()
	number := s.left
	s.left = 0
	s.mu.Unlock()
	if number == 0 {
		return nil, nil //nolint:nilnil // documented
	}
	return openArea(s.fs, s.dir, number)
}

// Close closes all files. Open snapshots cannot be read afterwards.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for number, p := range s.packs {
		errs = append(errs, p.file.Close())
		delete(s.packs, number)
	}
	s.poisoned = true
	return errors.Join(errs...)
}
