// Package logstore keeps raft's log and its few durable words (term, vote) in one bbolt file.
//
// It is raft-boltdb with what its two users, raft and a disk that can fail, need beyond it: a vote is one transaction, a
// delete never leaves a hole and never holds the file for long, and the first write error is the last write.
package logstore

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"github.com/ballastdb/ballast/internal/guard"
)

const (
	// lockTimeout bounds the wait for another process's lock on the file.
	lockTimeout = time.Second
	// initialMapBytes of address space are mapped at open, so that a growing file is seldom mapped again under way.
	initialMapBytes = 256 << 20
)

// ErrFailed is wrapped by the error of every write after the one that failed.
var ErrFailed = errors.New("the log store failed earlier and takes no more writes")

// Options of a Store.
type Options struct {
	// Path of the file; made if it does not exist. Its directory must exist.
	Path string
	// Logger is required.
	Logger hclog.Logger
	// Fatal is told the first write error, once. It should end the process: raft itself would only step down and go on,
	// and a later fsync of the same file can falsely succeed. It is called on raft's goroutine, so it must not wait for
	// raft; where it returns, the error goes back to raft and all later writes are refused.
	Fatal func(error)
	// BeforeWrite, if set, is called before every write. Tests stall the disk with it.
	BeforeWrite func()
}

// backend is what Store needs of raft-boltdb.
type backend interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

// Store is a raft.LogStore and a raft.StableStore. Its methods may be called from several goroutines.
type Store struct {
	bolt        backend
	logger      hclog.Logger
	fatal       func(error)
	beforeWrite func()

	writing sync.Mutex
	failed  error // first write error; once set, it stays

	appends sync.Mutex // held by appends, and by a delete that no append may overtake

	vote sync.Mutex
	// heldTerm is a vote's term whose candidate has not come yet (see votes.go); 0: none.
	heldTerm uint64
}

var (
	_ raft.LogStore    = (*Store)(nil)
	_ raft.StableStore = (*Store)(nil)
)

// Open opens or makes the store at Options.Path. It fails when another process holds the file for more than a second.
func Open(options Options) (*Store, error) {
	bolt, err := raftboltdb.New(raftboltdb.Options{Path: options.Path, BoltOptions: boltOptions()})
	if err != nil {
		return nil, fmt.Errorf("open the raft log %s: %w (is another ballastd running on this data directory?)", options.Path, err)
	}
	store, err := newStore(bolt, options)
	if err != nil {
		return nil, errors.Join(err, bolt.Close())
	}
	return store, nil
}

// boltOptions: the list of free pages is not written at each commit (it is found again at open) and is kept as a map, or
// a commit costs in proportion to the pages that were ever freed.
func boltOptions() *bbolt.Options {
	options := &bbolt.Options{Timeout: lockTimeout, InitialMmapSize: initialMapBytes}
	if guard.On("bbolt") {
		options.NoFreelistSync = true
		options.FreelistType = bbolt.FreelistMapType
	}
	return options
}

func newStore(bolt backend, options Options) (*Store, error) {
	if options.Logger == nil || options.Fatal == nil {
		return nil, errors.New("logstore: Options.Logger and Options.Fatal are required")
	}
	beforeWrite := options.BeforeWrite
	if beforeWrite == nil {
		beforeWrite = func() {}
	}
	return &Store{bolt: bolt, logger: options.Logger, fatal: options.Fatal, beforeWrite: beforeWrite}, nil
}

// Close closes the file. Nothing may be called afterwards.
func (s *Store) Close() error { return s.bolt.Close() }

// FirstIndex is the index of the oldest entry; 0: the log is empty.
func (s *Store) FirstIndex() (uint64, error) { return s.bolt.FirstIndex() }

// LastIndex is the index of the newest entry; 0: the log is empty.
func (s *Store) LastIndex() (uint64, error) { return s.bolt.LastIndex() }

// GetLog reads an entry; raft.ErrLogNotFound where there is none.
func (s *Store) GetLog(index uint64, log *raft.Log) error { return s.bolt.GetLog(index, log) }

// StoreLog writes one entry; it is on the disk when the call returns nil.
func (s *Store) StoreLog(log *raft.Log) error { return s.StoreLogs([]*raft.Log{log}) }

// StoreLogs writes entries in one transaction; they are on the disk when the call returns nil.
func (s *Store) StoreLogs(logs []*raft.Log) error {
	s.appends.Lock()
	defer s.appends.Unlock()
	return s.write("store entries", func() error { return s.bolt.StoreLogs(logs) })
}

// write does one write, or refuses it because an earlier one failed. One at a time: a write that waited in bbolt while
// another failed must not go on.
func (s *Store) write(what string, do func() error) error {
	if !guard.On("503") {
		return do()
	}
	first, err := s.writeAlone(what, do)
	if first {
		s.logger.Error("write to the raft log failed; this process must end", "error", err)
		s.fatal(err)
	}
	return err
}

// writeAlone also says whether its error is the first. Fatal is told outside the lock: it may ask the store something.
func (s *Store) writeAlone(what string, do func() error) (first bool, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.failed != nil {
		return false, fmt.Errorf("%s: %w: %w", what, ErrFailed, s.failed)
	}
	s.beforeWrite()
	if err := do(); err != nil {
		s.failed = fmt.Errorf("%s: %w", what, err)
		return true, s.failed
	}
	return false, nil
}
