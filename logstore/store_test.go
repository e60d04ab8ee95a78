package logstore

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// TestAnyWriteErrorIsFatal: for each kind of write, the first error reaches Fatal once and raft as well, and nothing is
// written afterwards, whatever the disk says by then.
func TestAnyWriteErrorIsFatal(t *testing.T) {
	writes := map[string]func(*Store) error{
		"StoreLog":    func(s *Store) error { return s.StoreLog(&raft.Log{Index: 4}) },
		"StoreLogs":   func(s *Store) error { return s.StoreLogs(entries(4, 5)) },
		"DeleteRange": func(s *Store) error { return s.DeleteRange(1, 2) },
		"Set":         func(s *Store) error { return s.Set([]byte("k"), []byte("v")) },
		"SetUint64":   func(s *Store) error { return s.SetUint64([]byte("CurrentTerm"), 2) },
		"vote": func(s *Store) error {
			return errors.Join(s.SetUint64([]byte(raftVoteTerm), 2), s.Set([]byte(raftVoteCandidate), []byte("b")))
		},
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			disk := newFakeBolt(t, 3)
			var told []error
			store, err := newStore(disk, Options{Kind: Bolt, Logger: hclog.NewNullLogger(), Fatal: func(err error) { told = append(told, err) }})
			must(t, err)
			defer store.Close()
			disk.failNext = errors.New("input/output error")
			if err := write(store); !errors.Is(err, disk.failed) || disk.failed == nil {
				t.Errorf("the disk's error must reach raft, found %v", err)
			}
			writesBefore := disk.writes
			for other, write := range writes {
				if err := write(store); !errors.Is(err, ErrFailed) {
					t.Errorf("%s after the failure: expected it to be refused, found %v", other, err)
				}
			}
			if disk.writes != writesBefore {
				t.Errorf("%d writes reached the disk after one had failed", disk.writes-writesBefore)
			}
			if len(told) != 1 || !errors.Is(told[0], disk.failed) {
				t.Errorf("Fatal must be told once, of the first error; found %v", told)
			}
		})
	}
}

// TestBoltStaysOutOfTheWay: the file's list of free pages is not written at each commit, and a delete is many small
// transactions.
func TestBoltStaysOutOfTheWay(t *testing.T) {
	t.Run("no free list on disk", func(t *testing.T) {
		dir := t.TempDir()
		store, path := openTest(t, dir, Bolt), Bolt.path(dir)
		if err := store.StoreLogs(entries(1, 10)); err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// Both meta pages: a 16-byte page header, then magic, version, page size, flags (4 bytes each), the root bucket
		// (16 bytes) and the page of the free list, all ones where it is not kept.
		pageSize := int(binary.LittleEndian.Uint32(file[16+8:]))
		for page := range 2 {
			if found := binary.LittleEndian.Uint64(file[page*pageSize+16+32:]); found != math.MaxUint64 {
				t.Errorf("meta page %d: the free list is kept in page %d of the file", page, found)
			}
		}
	})
	t.Run("deletes in chunks", func(t *testing.T) {
		const count = 5*deleteChunk + 7
		for _, r := range [][2]uint64{{1, count - 10}, {10, count}, {1, count}} {
			disk := newFakeBolt(t, count)
			store, err := newStore(disk, Options{Kind: Bolt, Logger: hclog.NewNullLogger(), Fatal: func(err error) { t.Error(err) }})
			must(t, err)
			defer store.Close()
			if err := store.DeleteRange(r[0], r[1]); err != nil {
				t.Fatal(err)
			}
			if disk.largestDelete > deleteChunk {
				t.Errorf("delete %v: one transaction deleted %d entries, at most %d are allowed", r, disk.largestDelete, deleteChunk)
			}
		}
	})
}
