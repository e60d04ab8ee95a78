// Package logstore keeps raft's log and its few durable words (term, vote) in a bbolt file or in raft-wal's segments.
//
// It is raft-boltdb or raft-wal with what their two users, raft and a disk that can fail, need beyond them: a vote is one
// transaction, a delete never leaves a hole and never holds the file for long, the first write error is the last write, a
// disk that hangs ends the process; and entries stay as long as members that lag may need them. README.md tells how.
package logstore

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/guard"
)

// ErrFailed is wrapped by the error of every write after the one that failed.
var ErrFailed = errors.New("the log store failed earlier and takes no more writes")

// Options of a Store.
type Options struct {
	// Dir is the directory that the log's file or directory is in, or is made in. It must exist.
	Dir string
	// Kind of log; a directory that holds another kind is refused with a *KindError.
	Kind Kind
	// Logger is required.
	Logger hclog.Logger
	// Fatal is told the first write error, and a write that takes longer than WriteLimit, once. It should end the process:
	// raft itself would only step down and go on, and a later fsync of the same file can falsely succeed; and a leader whose
	// disk hangs would go on to lead. It is called on raft's goroutine or the store's own, so it must not wait for raft;
	// where it returns, the error goes back to raft and all later writes are refused.
	Fatal func(error)
	// WriteLimit is how long one write may take; 0: as long as it does.
	WriteLimit time.Duration
	// BeforeWrite, if set, is called before every write, and counts as part of it. Tests stall the disk with it.
	BeforeWrite func()
}

// Store is a raft.LogStore and a raft.StableStore. Its methods may be called from several goroutines.
type Store struct {
	backend backend
	kind    Kind
	path    string
	logger  hclog.Logger

	disk  disk
	hooks atomic.Pointer[Hooks]

	// appends is held by appends, and by a delete that no append may overtake. It guards the fields below; first and last
	// are read without it.
	appends sync.Mutex
	// first and last are the log's bounds, 0 and 0 where it is empty.
	first, last atomic.Uint64
	// wiped is the index up to which entries that may still be in the file are not part of the log (see wipe.go).
	wiped uint64

	// keeping guards keeper and swept; it is taken last.
	keeping sync.Mutex
	keeper  keeper
	weighed bool // what was in the log at open is in keeper

	vote sync.Mutex
	// heldTerm is a vote's term whose candidate has not come yet (see votes.go); 0: none.
	heldTerm uint64

	trimming trimmer
}

var (
	_ raft.LogStore          = (*Store)(nil)
	_ raft.StableStore       = (*Store)(nil)
	_ raft.MonotonicLogStore = (*Store)(nil)
)

// Open opens or makes the store. It fails when another process holds a bbolt file for more than a second. A cut that was
// requested before the last process ended is done first (see RequestCut).
func Open(options Options) (*Store, error) {
	if err := checkKind(options.Dir, options.Kind); err != nil {
		return nil, err
	}
	if options.Logger == nil {
		return nil, errNoLogger
	}
	path := options.Kind.path(options.Dir)
	files, err := openBackend(options.Kind, path, options.Logger)
	if err != nil {
		return nil, err
	}
	store, err := newStore(files, options)
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	return store, nil
}

var errNoLogger = errors.New("logstore: Options.Logger and Options.Fatal are required")

func newStore(files backend, options Options) (*Store, error) {
	if options.Logger == nil || options.Fatal == nil {
		return nil, errNoLogger
	}
	s := &Store{backend: files, kind: options.Kind, path: options.Kind.path(options.Dir), logger: options.Logger}
	s.disk.init(options)
	s.trimming.init(options.Kind)
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("open the raft log %s: %w", s.path, err)
	}
	s.trimming.start(s)
	return s, nil
}

// load finds the log's bounds, and does the cut that was requested.
func (s *Store) load() error {
	first, err := s.backend.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.backend.LastIndex()
	if err != nil {
		return err
	}
	if s.wiped, err = s.readIndex(wipedKey); err != nil {
		return err
	}
	switch {
	case last <= s.wiped:
		first, last = 0, 0
	case first <= s.wiped:
		if first, err = s.firstBeyond(s.wiped, last); err != nil {
			return err
		}
	}
	s.setBounds(first, last)
	return s.doRequestedCut()
}

// Close ends the store's own work and closes the files. Nothing may be called afterwards.
func (s *Store) Close() error {
	s.trimming.stop()
	return s.backend.Close()
}

// Kind of the log.
func (s *Store) Kind() Kind { return s.kind }

// FirstIndex is the index of the oldest entry; 0: the log is empty.
func (s *Store) FirstIndex() (uint64, error) { return s.first.Load(), nil }

// LastIndex is the index of the newest entry; 0: the log is empty.
func (s *Store) LastIndex() (uint64, error) { return s.last.Load(), nil }

// bounds are those of one moment or of two neighbouring ones; last 0: the log is empty.
func (s *Store) bounds() (first, last uint64) { return s.first.Load(), s.last.Load() }

func (s *Store) setBounds(first, last uint64) {
	s.first.Store(first)
	s.last.Store(last)
}

// StoreLog writes one entry; it is on the disk when the call returns nil.
func (s *Store) StoreLog(log *raft.Log) error { return s.StoreLogs([]*raft.Log{log}) }

// StoreLogs writes entries in one transaction; they are on the disk when the call returns nil. They must follow what is
// there, and each other.
func (s *Store) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return nil
	}
	s.appends.Lock()
	defer s.appends.Unlock()
	if err := s.checkFollows(logs); err != nil {
		return err
	}
	if err := s.write("store entries", func() error { return s.backend.StoreLogs(logs) }); err != nil {
		return err
	}
	if s.last.Load() == 0 {
		s.first.Store(logs[0].Index)
	}
	s.last.Store(logs[len(logs)-1].Index)
	s.weighAppended(logs)
	return nil
}

// checkFollows refuses entries that would stand behind a hole.
func (s *Store) checkFollows(logs []*raft.Log) error {
	before := s.last.Load()
	if before == 0 {
		before = logs[0].Index - 1
	}
	if before < s.wiped {
		before = s.wiped
	}
	for _, log := range logs {
		if log.Index != before+1 {
			return fmt.Errorf("store entries: expected index %d to follow, found %d", before+1, log.Index)
		}
		before = log.Index
	}
	return nil
}

// write does one write, or refuses it because an earlier one failed.
func (s *Store) write(what string, do func() error) error {
	if s.kind == WAL && !guard.On("raft-wal") {
		return do()
	}
	return s.disk.write(what, do)
}
