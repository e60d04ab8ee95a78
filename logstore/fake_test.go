package logstore

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

var errFake = errors.New("input/output error")

// fakeBolt is a log and a map in memory, whose writes can fail and can be watched.
type fakeBolt struct {
	t     *testing.T
	mu    sync.Mutex // the store also reads in the background
	logs  []uint64   // indexes, sorted
	words map[string][]byte

	failNext, failed error
	writes           int
	largestDelete    int
	afterWrite       func()
}

func newFakeBolt(t *testing.T, count uint64) *fakeBolt {
	f := &fakeBolt{t: t, words: map[string][]byte{}}
	for i := uint64(1); i <= count; i++ {
		f.logs = append(f.logs, i)
	}
	return f
}

func (f *fakeBolt) write(do func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	if f.failNext != nil {
		f.failed, f.failNext = f.failNext, nil
		return f.failed
	}
	do()
	if f.afterWrite != nil {
		f.afterWrite()
	}
	return nil
}

func (f *fakeBolt) FirstIndex() (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.logs) == 0 {
		return 0, nil
	}
	return f.logs[0], nil
}

func (f *fakeBolt) LastIndex() (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.logs) == 0 {
		return 0, nil
	}
	return f.logs[len(f.logs)-1], nil
}

func (f *fakeBolt) GetLog(index uint64, log *raft.Log) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.logs, index) {
		return raft.ErrLogNotFound
	}
	log.Index = index
	return nil
}

func (f *fakeBolt) StoreLog(log *raft.Log) error { return f.StoreLogs([]*raft.Log{log}) }

func (f *fakeBolt) StoreLogs(logs []*raft.Log) error {
	return f.write(func() {
		for _, log := range logs {
			f.logs = append(f.logs, log.Index)
		}
		slices.Sort(f.logs)
		f.logs = slices.Compact(f.logs)
	})
}

func (f *fakeBolt) DeleteRange(low, high uint64) error {
	return f.write(func() {
		before := len(f.logs)
		f.logs = slices.DeleteFunc(f.logs, func(i uint64) bool { return low <= i && i <= high })
		f.largestDelete = max(f.largestDelete, before-len(f.logs))
	})
}

func (f *fakeBolt) Set(key, value []byte) error {
	return f.write(func() { f.words[string(key)] = slices.Clone(value) })
}

func (f *fakeBolt) Get(key []byte) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	value, ok := f.words[string(key)]
	if !ok {
		return nil, raftboltdb.ErrKeyNotFound
	}
	return value, nil
}

func (f *fakeBolt) SetUint64(key []byte, value uint64) error {
	return f.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

func (f *fakeBolt) GetUint64(key []byte) (uint64, error) {
	value, err := f.Get(key)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}

func (f *fakeBolt) Close() error { return nil }
