package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/internal/vfs"
)

// Hash is a value of the chain: that of the whole journal up to an entry. The empty journal's is zero.
type Hash [2]uint64

// Format tells what the entries of a journal are.
type Format interface {
	// Size is the length of the entry that b begins with, bytes. 0: b is too short to tell. b may end within the entry.
	Size(b []byte) (int, error)
	// Chain is the hash of a journal that ends with entry, whose sequence number is sequence, when before is that of
	// what precedes it. It refuses an entry that is damaged or belongs elsewhere.
	Chain(before Hash, sequence uint64, entry []byte) (Hash, error)
	// MaxSize is the length that no entry exceeds.
	MaxSize() int
}

// Position is a place between two entries.
type Position struct {
	// Sequence is the number of entries before it, and so the sequence number of the last of them.
	Sequence uint64
	// Bytes is their length.
	Bytes uint64
	// Hash is the chain's value after them.
	Hash Hash
}

// DefaultSegmentBytes is the length of entries that a segment holds at most.
const DefaultSegmentBytes = 64 << 20

// Config of a journal.
type Config struct {
	// Dir is the journal's own. It is made if its parent exists.
	Dir string
	// FS, nil: the real one.
	FS vfs.FS
	// Format of the entries.
	Format Format
	// SegmentBytes, 0: DefaultSegmentBytes. Members must agree on it for their segments to be the same files, not for
	// their journals to be the same.
	SegmentBytes uint64
	// Logger, nil: none.
	Logger hclog.Logger
}

// Errors.
var (
	// ErrNotFound: the journal has no entry of that sequence number.
	ErrNotFound = errors.New("no such entry in the journal")
	// ErrCorrupt: what the journal holds is not what was appended.
	ErrCorrupt = errors.New("corrupt journal")
	// ErrReplaced: the journal was cut or replaced while it was being read.
	ErrReplaced = errors.New("journal was replaced while being read")
)

// Journal is an open journal.
type Journal struct {
	fs     vfs.FS
	dir    string
	format Format
	limit  uint64
	piece  uint64 // see WriteBack
	logger hclog.Logger

	missing chan struct{} // see Missing
	grown   chan struct{} // see Grown

	// Taken in this order. The segments change under all that their change concerns: writing and mu, and syncing too where
	// one goes.
	writing sync.Mutex // one append or change of the segments at a time
	syncing sync.Mutex // one Sync, or removal of a segment, at a time

	mu        sync.RWMutex
	segments  []*segment
	end       Position
	undecided bool      // what the scan found damaged is still to be removed or set aside: see decide
	suspects  []suspect // files that the scan could not take as segments
	filling   bool      // a Filler is at work
	cuts      uint64    // cuts and replacements: readers find out by it
	dirty     bool      // a name was changed since the directory was synced
	failed    error     // the first failure of a write; nothing is written after it
}

// Open opens a journal, or makes an empty one. It reads everything and checks the chain. What does not fit is left out: a
// torn end, or a hole. Which of the two it is the owner tells by Truncate, Place or Append; only then are files changed.
func Open(c Config) (*Journal, error) {
	j, err := scanned(c)
	if err != nil {
		return nil, err
	}
	if err := j.removeExtra(); err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", j.dir, err), j.Close())
	}
	return j, nil
}

// scanned reads a journal, and changes nothing where there is one.
func scanned(c Config) (*Journal, error) {
	j := &Journal{
		fs: c.FS, dir: filepath.Clean(c.Dir), format: c.Format, limit: c.SegmentBytes, piece: pieceBytes, logger: c.Logger,
		missing: make(chan struct{}, 1), grown: make(chan struct{}, 1),
	}
	if j.fs == nil {
		j.fs = vfs.OS{}
	}
	if j.limit == 0 {
		j.limit = DefaultSegmentBytes
	}
	if j.logger == nil {
		j.logger = hclog.NewNullLogger()
	}
	if err := j.scan(); err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", j.dir, err), j.Close())
	}
	return j, nil
}

// End is the position after the newest entry.
func (j *Journal) End() Position {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.end
}

// Sync makes everything appended before it durable. A failure is final: see Append.
func (j *Journal) Sync() error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	type target struct {
		s    *segment
		size uint64
	}
	var targets []target
	j.mu.Lock()
	err, dirty := j.failed, j.dirty
	j.dirty = false // whoever changes a name meanwhile sets it again
	for _, s := range j.segments {
		if s.file != nil && s.synced < s.size {
			targets = append(targets, target{s, s.size})
		}
	}
	j.mu.Unlock()
	if err != nil {
		return err
	}
	for _, t := range targets {
		if err := t.s.file.Sync(); err != nil {
			return j.fail(fmt.Errorf("sync the journal: %w", err))
		}
	}
	if dirty {
		if err := j.fs.SyncDir(j.dir); err != nil {
			return j.fail(fmt.Errorf("sync the journal's directory: %w", err))
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, t := range targets {
		t.s.synced = t.size
	}
	return j.closeFull()
}

// path is a segment's.
func (j *Journal) path(first uint64) string { return j.pathOf(first, suffix) }

func (j *Journal) pathOf(first uint64, suffix string) string {
	return filepath.Join(j.dir, segmentName(first, suffix))
}

// closeFull closes the files of segments that are full and durable. The caller holds mu.
func (j *Journal) closeFull() error {
	for i, s := range j.segments {
		if s.file == nil || i == len(j.segments)-1 || s.synced < s.size {
			continue
		}
		if err := s.file.Close(); err != nil {
			return fmt.Errorf("close a segment of the journal: %w", err)
		}
		s.file = nil
	}
	return nil
}

// fail remembers the first failure: after a failed write or fsync the kernel may have dropped what it could not write,
// and a later success would tell nothing.
func (j *Journal) fail(err error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed == nil {
		j.failed = err
	}
	return err
}

// broken is the first failure, or that the journal is closed.
func (j *Journal) broken() error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.failed
}

// Close closes the files. It does not sync.
func (j *Journal) Close() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed == nil {
		j.failed = os.ErrClosed
	}
	j.cuts++
	return j.closeFiles()
}

func (j *Journal) closeFiles() error {
	var errs []error
	for _, s := range j.segments {
		if s.file != nil {
			errs = append(errs, s.file.Close())
			s.file = nil
		}
	}
	return errors.Join(errs...)
}
