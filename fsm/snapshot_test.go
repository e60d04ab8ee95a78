package fsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"

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

// resealStream sets all checksums and the digest of a stream right, as far as it can be read: what a program with a bug
// would write.
func resealStream(b []byte) []byte {
	if len(b) < headerBytes+endBytes {
		return b
	}
	le, space := binary.LittleEndian, newState().space()
	loads := true
	for at := headerBytes; at+pageHead+page.Size <= len(b) && b[at] == tagPage; at += pageHead + page.Size {
		p := page.Page{ID: page.ID{Table: b[at+1], Number: le.Uint64(b[at+8:])}, Index: le.Uint64(b[at+16:]), Data: b[at+pageHead : at+pageHead+page.Size]}
		le.PutUint64(b[at+24:], page.Checksum(p.ID, p.Data))
		loads = loads && space.Load(p) == nil
	}
	if loads && space.Loaded() == nil {
		copy(b[32:], space.Digest().Bytes())
	}
	le.PutUint32(b[offHeaderCRC:], crc32.Checksum(b[:offHeaderCRC], castagnoli()))
	le.PutUint32(b[len(b)-4:], crc32.Checksum(b[:len(b)-4], castagnoli()))
	return b
}

// TestDamagedSnapshotIsRefused: nothing of it is taken, and the process ends: raft would go on with the old state.
func TestDamagedSnapshotIsRefused(t *testing.T) {
	log := newScript(2).grow(60).logs
	a := openOn(t, vfs.NewMem())
	a.ApplyBatch(log)
	stream := persist(t, a)
	rng := rand.New(rand.NewPCG(1, 1))
	f, seen := openFatal(t)
	f.ApplyBatch(log[:20])
	want := portraitOf(t, f)
	refused := func(what string, bad []byte) {
		t.Helper()
		seen.errs, f.stopped = nil, nil // the same one lives on here
		if err := restore(f, bad); err == nil || len(seen.errs) != 1 {
			t.Fatalf("%s: %v, fatal %v", what, err, seen.errs)
		}
		if got := f.state.space().Digest(); got != want.digest || f.index != want.index {
			t.Fatalf("%s: the state changed: digest %v at index %d, want %v at %d", what, got, f.index, want.digest, want.index)
		}
	}
	for range 40 {
		bad := bytes.Clone(stream)
		at := rng.IntN(len(bad))
		bad[at] ^= 1 << rng.IntN(8)
		refused("a bit flipped", bad)
		refused("cut short", stream[:at])
	}
	for at := range headerBytes {
		bad := bytes.Clone(stream)
		bad[at] ^= 0x10
		refused("the header damaged", bad)
		if at >= 48 && at < 96 { // what the state can be compared with; the checksums are right
			refused("the header says something else", resealStream(bad))
		}
	}
	refused("with a tail", append(bytes.Clone(stream), 0))
	refused("another file", bytes.Repeat([]byte("x"), 1000))
	requireSame(t, portraitOf(t, f), want, "after all that was refused")
}

// TestRestoreNeverGoesBack: an install older than the applied state would roll the state machine back.
func TestRestoreNeverGoesBack(t *testing.T) {
	log := newScript(2).grow(60).logs
	f, seen := openFatal(t)
	f.ApplyBatch(log[:40])
	old := persist(t, f)
	must(t, restore(f, old)) // the same index: raft's may be higher, by entries that are no commands
	f.ApplyBatch(log[40:])
	want := portraitOf(t, f)
	if err := restore(f, old); !errors.Is(err, ErrOrder) || len(seen.errs) != 1 {
		t.Errorf("an older snapshot: %v, fatal %v; want ErrOrder", err, seen.errs)
	}
	requireSame(t, portraitOf(t, f), want, "after an older snapshot")
}

// hookedSink calls a function before its first write, when all of a small snapshot has been read.
type hookedSink struct {
	sink
	before func()
}

func (s *hookedSink) Write(p []byte) (int, error) {
	if s.before != nil {
		s.before()
		s.before = nil
	}
	return s.sink.Write(p)
}

// TestSnapshotOfAReplacedStateIsNotKept: published after a newer one was installed, it would have raft move its last
// index back.
func TestSnapshotOfAReplacedStateIsNotKept(t *testing.T) {
	log := newScript(2).grow(60).logs
	a := openOn(t, vfs.NewMem())
	a.ApplyBatch(log)
	newer := persist(t, a)
	f := openOn(t, vfs.NewMem())
	f.ApplyBatch(log[:40])
	snap, err := f.Snapshot()
	must(t, err)
	defer snap.Release()
	s := &hookedSink{before: func() { must(t, restore(f, newer)) }}
	if err := snap.Persist(s); !errors.Is(err, errReplaced) || s.closed || !s.cancelled {
		t.Errorf("got %v, closed %v, cancelled %v; want it cancelled as replaced", err, s.closed, s.cancelled)
	}
	requireSame(t, portraitOf(t, f), portraitOf(t, a), "after the older snapshot")
}

// TestRestoreReplacesAnotherJournal: what is on disk belongs to another history, of the same length or not.
func TestRestoreReplacesAnotherJournal(t *testing.T) {
	a := openOn(t, vfs.NewMem())
	a.ApplyBatch(newScript(2).grow(60).logs)
	stream := persist(t, a)
	disk := vfs.NewMem()
	other := openOn(t, disk)
	other.ApplyBatch(newScript(3).grow(90).logs)
	must(t, other.Close())
	f := openOn(t, disk)
	must(t, restore(f, stream))
	requireSame(t, portraitOf(t, f), portraitOf(t, a), "restored over another journal")
	must(t, f.Close())
	f = openOn(t, disk.Crash(1))
	if got, want := f.journal.End(), a.journal.End(); got != want {
		t.Errorf("after a crash the journal ends at %+v, want %+v: it was durable before the state was swapped", got, want)
	}
}

// TestFailedSyncStopsTheProcess: a snapshot must not name a journal that may not be there.
func TestFailedSyncStopsTheProcess(t *testing.T) {
	disk := vfs.NewMem()
	seen := &fatals{}
	seen.f = openWith(t, disk, seen.call)
	seen.f.ApplyBatch(newScript(2).grow(20).logs)
	snap, err := seen.f.Snapshot()
	must(t, err)
	defer snap.Release()
	disk.Inject(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpSync {
			return vfs.Fail
		}
		return vfs.None
	})
	var out sink
	if err := snap.Persist(&out); err == nil || out.closed || !out.cancelled || len(seen.errs) != 1 {
		t.Errorf("persisted with a journal that cannot be synced: %v, closed %v, fatal %v", err, out.closed, seen.errs)
	}
}

func TestNothingToSnapshot(t *testing.T) {
	if _, err := openOn(t, vfs.NewMem()).Snapshot(); !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		t.Errorf("snapshot of nothing: %v", err)
	}
}

// TestSnapshotGolden holds the bytes that snapshots in the field already have: a change here is a new format version.
func TestSnapshotGolden(t *testing.T) {
	h := snapshotHeader{
		index: 0x0102030405060708, term: 0x1112131415161718, digest: page.Digest{0x2122232425262728, 0x3132333435363738},
		journal: journal.Position{Sequence: 0x4142434445464748, Bytes: 0x5152535455565758, Hash: journal.Hash{0x6162636465666768, 0x7172737475767778}},
		version: 0x81828384, logTime: 0x0a0b0c0d0e0f1011,
	}
	p := page.Page{ID: page.ID{Table: 3, Number: 7}, Index: 9, Data: make([]byte, page.Size)}
	var b bytes.Buffer
	w := newStreamWriter(&b)
	for _, part := range [][]byte{h.encode(), encodePageHead(p), p.Data, encodeJournalMark(0x5152535455565758), []byte("journal")} {
		_, err := w.Write(part)
		must(t, err)
	}
	must(t, w.end(1))
	got := append(bytes.Clone(b.Bytes()[:headerBytes+pageHead]), b.Bytes()[headerBytes+pageHead+page.Size:]...) // without the zeros of the page
	path := filepath.Join("testdata", "snapshot.bin")
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("the stream is\n%x, want\n%x", got, want)
	}
	if back, err := decodeSnapshotHeader(want[:headerBytes]); err != nil || back != h {
		t.Errorf("the header decodes to %+v, %v; want %+v", back, err, h)
	}
	newer := bytes.Clone(want[:headerBytes])
	newer[8] = 2
	if _, err := decodeSnapshotHeader(newer); !errors.Is(err, proposal.ErrNewerVersion) {
		t.Errorf("a snapshot of format 2: %v, want ErrNewerVersion", err)
	}
}

// FuzzRestore changes bytes of a good stream, sets its checksums and digest right, and restores it: it must be refused,
// or be a state whose own snapshot is the same stream. The input itself is restored too, as a stream of any bytes.
func FuzzRestore(f *testing.F) {
	a := openOn(f, vfs.NewMem())
	a.ApplyBatch(newScript(4).grow(20).logs)
	base := persist(f, a)
	var used []int // zeros are most of it
	for at, c := range base {
		if c != 0 {
			used = append(used, at)
		}
	}
	f.Add([]byte{10, 0, 0, 1, 100, 0, 0, 255})
	f.Add(base[:headerBytes])
	f.Fuzz(func(t *testing.T, edits []byte) {
		edits = edits[:min(len(edits), 4000)]
		input := edits
		bad := bytes.Clone(base)
		for ; len(edits) >= 4; edits = edits[4:] {
			at := used[int(binary.LittleEndian.Uint32(edits)&0xffffff)%len(used)]
			bad[min(at+at%3, len(bad)-1)] ^= edits[3]
		}
		for _, b := range [][]byte{input, resealStream(bad)} {
			fatal := false
			m := openWith(t, vfs.NewMem(), func(error) { fatal = true })
			if err := restore(m, b); (err != nil) != fatal {
				t.Fatalf("%v, fatal %v", err, fatal)
			}
			if fatal {
				continue
			}
			if again := persist(t, m); !bytes.Equal(again, b) {
				t.Fatalf("the snapshot of what was restored is another: from byte %d on", firstDifference(again, b))
			}
		}
	})
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
