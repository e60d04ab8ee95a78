package journal

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/ballastdb/ballast/internal/vfs"
)

// TestCrashLosesNothingThatWasSynced cuts the power at every call of a story in turn and opens what a disk could hold.
func TestCrashLosesNothingThatWasSynced(t *testing.T) {
	old, other := new(history).grow(150), &history{}
	other.add([]byte("another history"))
	other.grow(120)
	story := func(fsys *vfs.Mem) (synced *history) {
		synced = &history{}
		j, err := Open(Config{Dir: "/journal", FS: fsys, Format: testFormat{}, SegmentBytes: testSegment})
		if err != nil {
			return synced
		}
		defer j.Close()
		part := &history{bytes: old.bytes[:old.at(70).Bytes], ends: old.ends[:70]}
		b, n := part.from(0)
		if j.Append(b, n, part.end().Hash) != nil || j.Sync() != nil {
			return synced
		}
		synced = part
		b, n = old.from(70)
		if j.Append(b, n, old.end().Hash) != nil {
			return synced
		}
		s, err := j.Stage()
		if err != nil {
			return synced
		}
		if _, err := s.Write(other.bytes); err != nil {
			return synced
		}
		if s.Commit(other.end()) == nil {
			synced = other
		}
		return synced
	}
	for call := 0; ; call++ {
		fsys, calls := vfs.NewMem(), 0
		fsys.Inject(func(vfs.Op) vfs.Fault {
			if calls++; calls-1 == call {
				return vfs.PowerCut
			}
			return vfs.None
		})
		synced := story(fsys)
		for seed := range uint64(6) {
			after := fsys.Crash(seed)
			j, err := Open(Config{Dir: "/journal", FS: after, Format: testFormat{}, SegmentBytes: testSegment})
			if err != nil {
				t.Fatalf("power cut at call %d, seed %d: %v", call, seed, err)
			}
			h := old
			if one := new(Cursor); j.End().Sequence > 0 {
				one = j.Cursor()
				b, err := one.Entry(1)
				must(t, err)
				if bytes.Equal(b, other.entry(1)) {
					h = other
				}
				must(t, one.Close())
			}
			end := j.End().Sequence
			if end > h.end().Sequence || h.at(end) != j.End() {
				t.Fatalf("power cut at call %d, seed %d: it ends at %+v, which is in no history", call, seed, j.End())
			}
			if h != other && synced == other || end < synced.end().Sequence && h == old && synced != other || h == other && end < other.end().Sequence {
				t.Fatalf("power cut at call %d, seed %d: it ends at entry %d, %d were synced", call, seed, end, synced.end().Sequence)
			}
			catchUp(t, j, h)
			check(t, j, h)
			must(t, j.Close())
		}
		if calls <= call {
			return
		}
	}
}

// TestReplayMakesTheSameFiles tears the journal at any length, cuts it to a snapshot and replays: the same bytes must be
// at the same places, however the appends were split.
func TestReplayMakesTheSameFiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	h := new(history).grow(200)
	want := open(t, vfs.NewMem(), "/journal")
	catchUp(t, want, h)
	for range 20 {
		fsys := vfs.NewMem()
		j := open(t, fsys, "/journal")
		snapshot := rng.Uint64N(100)
		for at := uint64(0); at < 200; {
			n := min(200, at+1+rng.Uint64N(40))
			must(t, j.Append(h.bytes[h.at(at).Bytes:h.at(n).Bytes], int(n-at), h.at(n).Hash))
			if at = n; at >= snapshot && rng.IntN(3) == 0 {
				must(t, j.Sync())
			}
		}
		must(t, j.Close())
		j = open(t, fsys.Crash(rng.Uint64()), "/journal")
		snapshot = min(snapshot, j.End().Sequence)
		must(t, j.Truncate(snapshot, h.at(snapshot).Bytes))
		for j.End().Sequence < 200 {
			at := j.End().Sequence
			n := min(200, at+1+rng.Uint64N(90))
			must(t, j.Append(h.bytes[h.at(at).Bytes:h.at(n).Bytes], int(n-at), h.at(n).Hash))
		}
		check(t, j, h)
		if !maps.Equal(files(t, j), files(t, want)) {
			t.Fatal("the replayed journal has other files than the one written in one go")
		}
	}
}

// TestFailedWriteIsFinal: after any failed call that changes something the journal writes nothing more.
func TestFailedWriteIsFinal(t *testing.T) {
	h := new(history).grow(100)
	for _, kind := range []vfs.Kind{vfs.OpWrite, vfs.OpSync, vfs.OpSyncDir, vfs.OpCreate, vfs.OpTruncate, vfs.OpRemove} {
		fsys := vfs.NewMem()
		j := open(t, fsys, "/journal")
		half := h.at(50)
		must(t, j.Append(h.bytes[:half.Bytes], 50, half.Hash))
		fsys.Inject(func(op vfs.Op) vfs.Fault {
			if op.Kind == kind {
				return vfs.Fail
			}
			return vfs.None
		})
		b, n := h.from(50)
		errs := []error{j.Append(b, n, h.end().Hash)}
		errs = append(errs, j.Sync(), j.Truncate(3, h.at(3).Bytes))
		if errors.Join(errs...) == nil {
			t.Errorf("no call noticed that %s fails", kind)
		}
		fsys.Inject(nil)
		if j.Append(nil, 0, j.End().Hash) == nil || j.Sync() == nil || j.Truncate(0, 0) == nil && j.End() != (Position{}) {
			t.Errorf("after %s failed the journal goes on writing", kind)
		}
	}
}

// TestSyncCoversWhatAnEarlierProcessWrote: a process that was killed, not the machine, leaves names and entries that
// nothing has made durable yet.
func TestSyncCoversWhatAnEarlierProcessWrote(t *testing.T) {
	h, fsys := new(history).grow(150), vfs.NewMem()
	config := Config{Dir: "/journal", FS: fsys, Format: testFormat{}, SegmentBytes: testSegment}
	j, err := Open(config)
	must(t, err)
	b, n := h.from(0)
	must(t, j.Append(b, n, h.end().Hash))
	must(t, j.Close())
	j, err = Open(config)
	must(t, err)
	must(t, j.Sync())
	must(t, j.Close())
	for seed := range uint64(6) {
		config.FS = fsys.Crash(seed)
		j, err := Open(config)
		must(t, err)
		if j.End() != h.end() {
			t.Errorf("seed %d: it ends at entry %d, %d were synced", seed, j.End().Sequence, h.end().Sequence)
		}
		must(t, j.Close())
	}
}
