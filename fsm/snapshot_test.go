package fsm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
	"testing"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/vfs"
)

var update = flag.Bool("update", false, "write the golden files anew")

func resealProposal(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b[:len(b)-4], castagnoli()))
	return b
}

// reseal sets checksum and digest right, as far as the pages load: what a program with a bug would write.
func (s *taken) reseal() {
	if len(s.meta) != headerBytes {
		return
	}
	space, loads := newState().space(), true
	for _, p := range s.pages {
		loads = loads && space.Load(p) == nil
	}
	if loads && space.Loaded(nil) == nil {
		s.digest = space.Digest()
		copy(s.meta[32:], s.digest.Bytes())
	}
	binary.LittleEndian.PutUint32(s.meta[offHeaderCRC:], crc32.Checksum(s.meta[:offHeaderCRC], castagnoli()))
}

func (s *taken) clone() *taken {
	c := &taken{meta: bytes.Clone(s.meta), digest: s.digest, journal: bytes.Clone(s.journal)}
	for _, p := range s.pages {
		p.Data = bytes.Clone(p.Data)
		c.pages = append(c.pages, p)
	}
	return c
}

// damages are ways in which a snapshot can be wrong although the store's checksums are right.
func damages(good *taken, rng *rand.Rand) map[string]*taken {
	bad := map[string]*taken{}
	change := func(what string, how func(*taken)) {
		c := good.clone()
		how(c)
		bad[what] = c
	}
	for i := range good.pages {
		change(fmt.Sprintf("page %d changed", i), func(s *taken) {
			s.pages[i].Data[rng.IntN(16)] ^= 1 << rng.IntN(8)
		})
		change(fmt.Sprintf("page %d missing", i), func(s *taken) { s.pages = append(s.pages[:i], s.pages[i+1:]...) })
	}
	for at := range headerBytes {
		change(fmt.Sprintf("byte %d of the header", at), func(s *taken) { s.meta[at] ^= 0x10 })
		if at >= 48 && at < 96 { // what the state can be compared with
			change(fmt.Sprintf("byte %d of the header, sealed again", at), func(s *taken) { s.meta[at] ^= 0x10; s.reseal() })
		}
	}
	change("no header", func(s *taken) { s.meta = nil })
	return bad
}

// TestDamagedSnapshotIsNotRestored: nothing of it is taken, and the process ends: raft would go on with the old state.
func TestDamagedSnapshotIsNotRestored(t *testing.T) {
	log := newScript(2).grow(60).logs
	disk := vfs.NewMem()
	a := openOn(t, disk)
	a.ApplyBatch(log)
	good := persist(t, a)
	f, seen := openFatal(t)
	f.ApplyBatch(log[:20])
	want := portraitOf(t, f)
	for what, bad := range damages(good, rand.New(rand.NewPCG(1, 1))) {
		seen.errs, f.stopped = nil, nil // the same one lives on here
		if err := restore(f, bad); err == nil || len(seen.errs) != 1 {
			t.Fatalf("%s: %v, fatal %v", what, err, seen.errs)
		}
		if got := f.state.space().Digest(); got != want.digest || f.index != want.index {
			t.Fatalf("%s: the state changed: digest %v at index %d, want %v at %d", what, got, f.index, want.digest, want.index)
		}
	}
	requireSame(t, portraitOf(t, f), want, "after all that was refused")
}

// TestDamagedSnapshotIsNotReceived: it is refused before anything of it could be published, the member goes on as it was,
// and takes a good one.
func TestDamagedSnapshotIsNotReceived(t *testing.T) {
	log := newScript(2).grow(60).logs
	a := openOn(t, vfs.NewMem())
	a.ApplyBatch(log)
	good := persist(t, a)
	f := openOn(t, vfs.NewMem())
	f.ApplyBatch(log[:3])
	want := portraitOf(t, f)
	for what, b := range damages(good, rand.New(rand.NewPCG(1, 1))) {
		if err := receive(f, b); err == nil {
			t.Fatalf("%s: received", what)
		}
	}
	requireSame(t, portraitOf(t, f), want, "after all that was refused")
	must(t, install(f, good))
	requireSame(t, portraitOf(t, f), portraitOf(t, a), "after a good one")
}

// TestRestoreNeverGoesBack: an install older than the applied state would roll the state machine back.
func TestRestoreNeverGoesBack(t *testing.T) {
	log := newScript(2).grow(60).logs
	f, seen := openFatal(t)
	f.ApplyBatch(log[:40])
	old := persist(t, f)
	must(t, restore(f, old)) // the same index: raft's may be higher, by entries that are no commands
	must(t, install(f, old))
	f.ApplyBatch(log[40:])
	want := portraitOf(t, f)
	if err := receive(f, old); !errors.Is(err, ErrOrder) || len(seen.errs) != 0 {
		t.Errorf("an older snapshot is received: %v, fatal %v; want ErrOrder", err, seen.errs)
	}
	if err := restore(f, old); !errors.Is(err, ErrOrder) || len(seen.errs) != 1 {
		t.Errorf("an older snapshot: %v, fatal %v; want ErrOrder", err, seen.errs)
	}
	requireSame(t, portraitOf(t, f), want, "after an older snapshot")
}

// hookedSink calls a function at its first page.
type hookedSink struct {
	sink
	at func()
}

func (s *hookedSink) Page(p page.Page) error {
	if s.at != nil {
		s.at()
		s.at = nil
	}
	return s.sink.Page(p)
}

// TestMarkOfAReplacedStateIsNotKept: published after a newer one was installed, it would have raft move its last index
// back.
func TestMarkOfAReplacedStateIsNotKept(t *testing.T) {
	log := newScript(2).grow(60).logs
	a := openOn(t, vfs.NewMem())
	a.ApplyBatch(log)
	newer := persist(t, a)
	f := openOn(t, vfs.NewMem())
	f.ApplyBatch(log[:40])
	m, err := f.PinExact()
	must(t, err)
	defer m.Release()
	if err := m.Write(&hookedSink{at: func() { must(t, install(f, newer)) }}); !errors.Is(err, ErrReplaced) {
		t.Errorf("got %v, want that it is replaced", err)
	}
	requireSame(t, portraitOf(t, f), portraitOf(t, a), "after the older snapshot")
}

// TestHeldSnapshots: a hold ends a mark that is being written, is there only when that one was released, and lets none
// begin until it is over.
func TestHeldSnapshots(t *testing.T) {
	f := openOn(t, vfs.NewMem())
	s := newScript(2).grow(30)
	f.ApplyBatch(s.logs)
	m, err := f.PinExact()
	must(t, err)
	given, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.HoldSnapshots(given); !errors.Is(err, context.Canceled) {
		t.Fatalf("held while a mark is pinned: %v", err)
	}
	held := make(chan func(), 1)
	out := &hookedSink{at: func() {
		var waiting sync.WaitGroup
		waiting.Go(func() {
			release, err := f.HoldSnapshots(t.Context())
			if err != nil {
				t.Error(err)
			}
			held <- release
		})
		t.Cleanup(waiting.Wait)
		for { // until the hold is known
			f.mu.RLock()
			holds := f.holds
			f.mu.RUnlock()
			if holds > 0 {
				return
			}
			runtime.Gosched()
		}
	}}
	if err := m.Write(out); !errors.Is(err, ErrHeld) {
		t.Errorf("written while held: %v", err)
	}
	if len(held) > 0 || !f.Snapshotting() {
		t.Error("held before the mark was released")
	}
	m.Offer()
	if _, err := f.Snapshot(); !errors.Is(err, ErrHeld) {
		t.Errorf("a mark is given while held: %v", err)
	}
	m.Release()
	m.Release()
	release := <-held
	f.ApplyBatch(s.mark())
	if len(f.Marks()) != 0 || f.Weight().Skipped != 1 {
		t.Error("a mark is pinned while held")
	}
	release()
	release()
	f.ApplyBatch(s.mark())
	(<-f.Marks()).Release()
}

func TestRestoreTakesPages(t *testing.T) {
	f, _ := openFatal(t)
	if err := f.Restore(io.NopCloser(bytes.NewReader(nil))); err == nil {
		t.Error("restored from a stream of bytes")
	}
}

// TestFailedSyncStopsTheProcess: a snapshot must not name a journal that may not be there.
func TestFailedSyncStopsTheProcess(t *testing.T) {
	disk := vfs.NewMem()
	seen := &fatals{}
	seen.f = openWith(t, disk, seen.call)
	seen.f.ApplyBatch(newScript(2).grow(20).logs)
	m, err := seen.f.PinExact()
	must(t, err)
	defer m.Release()
	disk.Inject(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpSync {
			return vfs.Fail
		}
		return vfs.None
	})
	if err := m.Write(new(sink)); err == nil || len(seen.errs) != 1 {
		t.Errorf("written with a journal that cannot be synced: %v, fatal %v", err, seen.errs)
	}
}

// TestSnapshotGolden holds the bytes that snapshots in the field already have: a change here is a new format version.
func TestSnapshotGolden(t *testing.T) {
	h := snapshotHeader{
		index: 0x0102030405060708, term: 0x1112131415161718, digest: page.Digest{0x2122232425262728, 0x3132333435363738},
		journal: journal.Position{Sequence: 0x4142434445464748, Bytes: 0x5152535455565758, Hash: journal.Hash{0x6162636465666768, 0x7172737475767778}},
		version: 0x81828384, logTime: 0x0a0b0c0d0e0f1011,
	}
	got := h.encode()
	path := filepath.Join("testdata", "snapshot.bin")
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("the header is\n%x, want\n%x", got, want)
	}
	if back, err := decodeSnapshotHeader(want); err != nil || back != h {
		t.Errorf("the header decodes to %+v, %v; want %+v", back, err, h)
	}
	newer := bytes.Clone(want)
	newer[8] = 2
	if _, err := decodeSnapshotHeader(newer); !errors.Is(err, proposal.ErrNewerVersion) {
		t.Errorf("a snapshot of format 2: %v, want ErrNewerVersion", err)
	}
}

// FuzzRestore changes bytes of a good snapshot, sets its checksum and digest right, and restores it: it must be refused,
// or be a state whose own snapshot is the same. The input itself is restored too, as a header.
func FuzzRestore(f *testing.F) {
	disk := vfs.NewMem()
	a := openOn(f, disk)
	a.ApplyBatch(newScript(4).grow(20).logs)
	base := persist(f, a)
	var used [][2]int // page, or -1 for the header, and place; zeros are most of it
	for at := range base.meta {
		used = append(used, [2]int{-1, at})
	}
	for n, p := range base.pages {
		for at, c := range p.Data {
			if c != 0 {
				used = append(used, [2]int{n, at})
			}
		}
	}
	f.Add([]byte{10, 0, 0, 1, 100, 0, 0, 255})
	f.Add(base.meta)
	f.Fuzz(func(t *testing.T, edits []byte) {
		edits = edits[:min(len(edits), 4000)]
		other := base.clone()
		other.meta = edits
		bad := base.clone()
		for ; len(edits) >= 4; edits = edits[4:] {
			to := used[int(binary.LittleEndian.Uint32(edits)&0xffffff)%len(used)]
			b := bad.meta
			if to[0] >= 0 {
				b = bad.pages[to[0]].Data
			}
			b[min(to[1]+to[1]%3, len(b)-1)] ^= edits[3]
		}
		bad.reseal()
		for _, s := range []*taken{other, bad} {
			fatal := false
			m := openWith(t, disk.Clone(), func(error) { fatal = true })
			if err := restore(m, s); (err != nil) != fatal {
				t.Fatalf("%v, fatal %v", err, fatal)
			}
			if fatal {
				continue
			}
			if len(m.JournalHoles()) > 0 {
				continue // a state of which another journal is the end: nothing here tells
			}
			again := persist(t, m)
			s.digest, s.journal = again.digest, again.journal
			if !reflect.DeepEqual(again, s) {
				t.Fatal("the snapshot of what was restored is another")
			}
		}
	})
}

// TestSnapshotOfANewerClusterVersion is refused before anything of it is read: its pages may be laid out otherwise.
func TestSnapshotOfANewerClusterVersion(t *testing.T) {
	f, seen := openFatal(t)
	h := snapshotHeader{index: 7, term: 1, version: SupportedVersion + 1}
	if _, err := f.Receive(h.encode(), page.Digest{}); !errors.Is(err, proposal.ErrNewerVersion) || len(seen.errs) != 0 {
		t.Errorf("received: %v, fatal %v", err, seen.errs)
	}
	if err := restore(f, &taken{meta: h.encode()}); !errors.Is(err, proposal.ErrNewerVersion) || len(seen.errs) != 1 {
		t.Errorf("restored: %v, fatal %v", err, seen.errs)
	}
}
