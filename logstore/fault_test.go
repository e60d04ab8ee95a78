package logstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"

	"github.com/ballastdb/ballast/internal/vfs"
)

// walDisk lets raft-wal write its segments to a vfs.Mem, as its own package fs does to the real one: the first sync of a new
// file also syncs its directory. Space is not set aside.
type walDisk struct{ *vfs.Mem }

type walFile struct {
	vfs.File
	disk *vfs.Mem
	dir  string // to be synced with the first sync; empty: no more
}

func (f *walFile) Sync() error {
	if err := f.File.Sync(); err != nil || f.dir == "" {
		return err
	}
	dir := f.dir
	f.dir = ""
	return f.disk.SyncDir(dir)
}

func (d walDisk) ListDir(dir string) ([]string, error) { return d.ReadDir(dir) }

func (d walDisk) Create(dir, name string, _ uint64) (types.WritableFile, error) {
	f, err := d.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &walFile{File: f, disk: d.Mem, dir: dir}, nil
}

func (d walDisk) Delete(dir, name string) error {
	if err := d.Remove(filepath.Join(dir, name)); err != nil {
		return err
	}
	return d.SyncDir(dir)
}

func (d walDisk) OpenReader(dir, name string) (types.ReadableFile, error) {
	return d.OpenFile(filepath.Join(dir, name), os.O_RDONLY, 0)
}

func (d walDisk) OpenWriter(dir, name string) (types.WritableFile, error) {
	f, err := d.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &walFile{File: f, disk: d.Mem, dir: dir}, nil
}

// walMeta is what raft-wal keeps in a bbolt file: each change is atomic and durable, here by a rename.
type walMeta struct {
	disk  *vfs.Mem
	mu    sync.Mutex // raft-wal turns to a new segment in the background
	saved int
	held  struct {
		State types.PersistentState
		Words map[string][]byte
	}
}

const metaName = "/wal/meta"

func (m *walMeta) Load(string) (types.PersistentState, error) {
	data, err := vfs.ReadFile(m.disk, metaName, 1<<20)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		m.held.Words = map[string][]byte{}
	case err == nil:
		err = json.Unmarshal(data, &m.held)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return m.held.State, err
}

func (m *walMeta) save() error {
	data, err := json.Marshal(m.held)
	if err != nil {
		return err
	}
	m.saved++
	temp := fmt.Sprintf("%s.%d.tmp", metaName, m.saved)
	if err := m.disk.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := m.disk.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := m.disk.Rename(temp, metaName); err != nil {
		return err
	}
	return m.disk.SyncDir("/wal")
}

func (m *walMeta) CommitState(s types.PersistentState) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.held.State
	m.held.State = s
	err := m.save()
	if err != nil {
		m.held.State = before
	}
	return err
}

func (m *walMeta) GetStable(key []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held.Words[string(key)], nil
}

func (m *walMeta) SetStable(key, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held.Words[string(key)] = append([]byte{}, value...)
	return m.save()
}
func (m *walMeta) Close() error { return nil }

// openFaulty opens a store of raft-wal on a disk that can fail, in small segments.
func openFaulty(disk *vfs.Mem, fatal func(error)) (*Store, error) {
	log, err := openSegments("/wal", &walMeta{disk: disk}, segment.NewFiler("/wal", walDisk{disk}), hclog.NewNullLogger(), 4096)
	if err != nil {
		return nil, err
	}
	s, err := newStore(log, Options{Kind: WAL, Logger: hclog.NewNullLogger(), Fatal: fatal})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return s, nil
}

// promised is what the store has said is durable: what must be found again.
type promised struct {
	first, last uint64 // at most, at least
	terms       map[uint64]uint64
	vote        string
	cut         bool // it was begun, or done
	begun       struct {
		first, last uint64 // a delete may have been done
		vote        string
		terms       map[uint64]uint64 // an append may have been done
	}
}

// story does everything that a store does durably, and notes what was promised. It ends at the first error.
func story(s *Store, p *promised) error {
	appendThem := func(term, low, high uint64) error {
		for i := low; i <= high; i++ {
			p.begun.terms[i] = term
		}
		logs := entriesOf(term, low, high)
		for _, log := range logs {
			log.Data = make([]byte, 300)
		}
		if err := s.StoreLogs(logs); err != nil {
			return err
		}
		for i := low; i <= high; i++ {
			p.terms[i] = term
		}
		p.last = high
		return nil
	}
	vote := func(term uint64, candidate string) error {
		p.begun.vote = candidate
		if err := errors.Join(s.SetUint64([]byte(raftVoteTerm), term), s.Set([]byte(raftVoteCandidate), []byte(candidate))); err != nil {
			return err
		}
		p.vote = candidate
		return nil
	}
	for i := uint64(0); i < 3; i++ {
		if err := appendThem(1, i*10+1, i*10+10); err != nil {
			return err
		}
	}
	if err := vote(2, "a"); err != nil {
		return err
	}
	s.Attach(hooks(25, 20, 1))
	p.begun.first = 20
	if err := s.DeleteRange(1, 25); err != nil {
		return err
	}
	p.first, p.begun.last = 20, 26
	p.last = 26 // From here on a lost new end is right.
	if err := s.DeleteRange(27, 30); err != nil {
		return err
	}
	for i := uint64(27); i <= 30; i++ {
		delete(p.terms, i)
	}
	p.begun.last = 0
	if err := appendThem(2, 27, 40); err != nil {
		return err
	}
	if err := vote(3, "b"); err != nil {
		return err
	}
	p.cut = true
	if err := s.RequestCut(35, 3); err != nil {
		return err
	}
	return nil
}

// requirePromised compares what is found with what was promised.
func requirePromised(s *Store, p *promised) error {
	first, last := s.bounds()
	if p.last > 0 && first > max(p.first, p.begun.first, 1) {
		return fmt.Errorf("the log begins at %d, it was to be kept from %d on", first, max(p.first, p.begun.first))
	}
	want := p.last
	if p.cut {
		want = min(want, 34)
	}
	if last < want {
		return fmt.Errorf("the log ends at %d, it was promised up to %d", last, want)
	}
	for index := first; index <= last && last > 0; index++ {
		var log raft.Log
		if err := s.GetLog(index, &log); err != nil {
			return fmt.Errorf("entry %d of %d to %d: %w", index, first, last, err)
		}
		if was, now := p.terms[index], p.begun.terms[index]; log.Index != index || log.Term != was && log.Term != now {
			return fmt.Errorf("entry %d is entry %d of term %d, want term %d or %d", index, log.Index, log.Term, was, now)
		}
		if was := p.terms[index]; index <= want && was != 0 && log.Term != was {
			return fmt.Errorf("entry %d has term %d, promised was %d", index, log.Term, was)
		}
	}
	vote, err := s.Get([]byte(raftVoteCandidate))
	if err != nil && err.Error() != errNoWord.Error() {
		return err
	}
	if string(vote) != p.vote && string(vote) != p.begun.vote {
		return fmt.Errorf("the vote is for %q, promised was %q", vote, p.vote)
	}
	return nil
}

// TestFaults crosses every durable step of a store of raft-wal with every fault, cuts the power then, and opens what the disk
// may hold: what was promised must be there, whole, and the log goes on. The first error must have been told.
func TestFaults(t *testing.T) {
	steps := 0
	run := func(at int, fault vfs.Fault, seed uint64) error {
		disk := vfs.NewMem()
		must(t, disk.Mkdir("/wal", 0o700))
		must(t, disk.SyncDir("/"))
		p := &promised{terms: map[uint64]uint64{}}
		p.begun.terms = map[uint64]uint64{}
		s, err := openFaulty(disk, func(error) {})
		must(t, err)
		var step atomic.Int64 // segments are also written in the background
		disk.Inject(func(vfs.Op) vfs.Fault {
			if int(step.Add(1)) == at {
				return fault
			}
			return vfs.None
		})
		failed := story(s, p)
		steps = max(steps, int(step.Load()))
		if failed != nil {
			if err := s.StoreLog(&raft.Log{Index: s.last.Load() + 1, Term: 9}); err == nil {
				return errors.New("a write behind one that failed was reported done")
			}
		}
		disk.Inject(nil)
		_ = s.Close() // The power is cut: what it says is of no interest.
		after := disk.Crash(seed)
		again, err := openFaulty(after, func(err error) { t.Error(err) })
		if err != nil {
			return fmt.Errorf("open again after %v: %w", failed, err)
		}
		defer again.Close()
		if err := requirePromised(again, p); err != nil {
			return err
		}
		next := again.last.Load() + 1
		if next == 1 {
			next = 21
		}
		return again.StoreLogs(entriesOf(9, next, next+5))
	}
	must(t, run(0, vfs.None, 1))
	for at := 1; at <= steps+2; at++ {
		for _, fault := range []vfs.Fault{vfs.None, vfs.Fail, vfs.FailPersisted, vfs.PowerCut} {
			for seed := uint64(1); seed <= 5; seed++ {
				if err := run(at, fault, seed); err != nil {
					t.Errorf("step %d, fault %v, seed %d: %v", at, fault, seed, err)
				}
			}
		}
	}
	if steps < 30 {
		t.Errorf("the story took %d durable steps, expected more", steps)
	}
}
