package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	wal "github.com/hashicorp/raft-wal"
	walfs "github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
	"go.etcd.io/bbolt"

	"github.com/ballastdb/ballast/internal/durable"
	"github.com/ballastdb/ballast/internal/guard"
)

const (
	// lockTimeout bounds the wait for another process's lock on the file.
	lockTimeout = time.Second
	// initialMapBytes of address space are mapped at open, so that a growing file is seldom mapped again under way.
	initialMapBytes = 256 << 20
)

// errNoWord is how raft recognises a word that was never set: by this text.
var errNoWord = raftboltdb.ErrKeyNotFound

// backend is what Store needs of the library that writes the files.
type backend interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

// openBackend opens or makes the log of that kind at path.
func openBackend(kind Kind, path string, logger hclog.Logger) (backend, error) {
	if kind == WAL {
		return openWAL(path, logger)
	}
	bolt, err := raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: boltOptions()})
	if err != nil {
		return nil, fmt.Errorf("open the raft log %s: %w (is another ballastd running on this data directory?)", path, err)
	}
	return bolt, nil
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

// openWAL makes a new log aside and renames it, so that a directory of that name always holds a whole one. raft-wal takes
// no lock that ends: the data directory's own keeps other processes out.
func openWAL(path string, logger hclog.Logger) (backend, error) {
	if !exists(path) {
		if err := makeWAL(path, logger); err != nil {
			return nil, fmt.Errorf("make the raft log %s: %w", path, err)
		}
	}
	if meta := filepath.Join(path, metadb.FileName); !exists(meta) {
		// raft-wal would begin an empty log.
		return nil, fmt.Errorf("open the raft log %s: expected the file %s in it, found none; the log store is damaged, replace this member",
			path, metadb.FileName)
	}
	meta := &metadb.BoltMetaDB{}
	log, err := openSegments(path, meta, segment.NewFiler(path, walfs.New()), logger, wal.DefaultSegmentSize)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the raft log %s: %w", path, err), meta.Close())
	}
	return log, nil
}

// openSegments opens a log of raft-wal, whatever its files are kept on.
func openSegments(path string, meta types.MetaStore, files types.SegmentFiler, logger hclog.Logger, segmentBytes int) (backend, error) {
	if err := finishRotation(path, meta, files); err != nil {
		return nil, err
	}
	log, err := wal.Open(path, wal.WithLogger(logger), wal.WithSegmentSize(segmentBytes), wal.WithMetaStore(meta), wal.WithSegmentFiler(files))
	if err != nil {
		return nil, err
	}
	return walWords{log}, nil
}

func makeWAL(path string, logger hclog.Logger) error {
	temp := path + tempSuffix
	if err := durable.RemoveAll(temp); err != nil {
		return err
	}
	if err := durable.Mkdir(temp, walMode); err != nil {
		return err
	}
	log, err := wal.Open(temp, wal.WithLogger(logger))
	if err != nil {
		return err
	}
	if err := log.Close(); err != nil {
		return err
	}
	return durable.Rename(temp, path)
}

// walWords makes raft-wal's words behave as raft-boltdb's: one that was never set is an error of that text, and a number
// is big endian.
type walWords struct{ *wal.WAL }

// Get implements raft.StableStore.
func (w walWords) Get(key []byte) ([]byte, error) {
	value, err := w.WAL.Get(key)
	if err == nil && value == nil {
		err = errNoWord
	}
	return value, err
}

// SetUint64 implements raft.StableStore.
func (w walWords) SetUint64(key []byte, value uint64) error {
	return w.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

// GetUint64 implements raft.StableStore.
func (w walWords) GetUint64(key []byte) (uint64, error) {
	value, err := w.Get(key)
	if err != nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("%s: expected 8 bytes, found %d; the log store is damaged, replace this member", key, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
