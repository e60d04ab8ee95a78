package journal

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/ballastdb/ballast/internal/vfs"
)

// TestCrashLosesNothingThatWasSynced cuts the power at every call of a story in turn and opens what a disk could hold: a
// journal is synced, goes on, and a tail takes the place of its end, or of all of it.
func TestCrashLosesNothingThatWasSynced(t *testing.T) {
	h, other := new(history).grow(150), &history{}
	other.add([]byte("another history"))
	other.grow(120)
	for name, c := range map[string]struct {
		from uint64 // where the tail begins; what is local behind it is not of its history
		tail *history
	}{"the end": {110, h}, "all of it": {0, other}} {
		for call := 0; ; call++ {
			fsys, calls := vfs.NewMem(), 0
			fsys.Inject(func(vfs.Op) vfs.Fault {
				if calls++; calls-1 == call {
					return vfs.PowerCut
				}
				return vfs.None
			})
			synced, staged := crashStory(fsys, h, c.tail, h.at(c.from))
			for seed := range uint64(6) {
				what := fmt.Sprintf("%s: power cut at call %d, seed %d", name, call, seed)
				reopenAfterCrash(t, what, fsys.Crash(seed), h, c.tail, synced, staged)
			}
			if calls <= call {
				break
			}
		}
	}
}

// crashStory tells how many entries of h were synced, and whether the tail was staged.
func crashStory(fsys *vfs.Mem, h, tail *history, from Position) (synced uint64, staged bool) {
	j, err := Open(Config{Dir: "/journal", FS: fsys, Format: testFormat{}, SegmentBytes: testSegment})
	if err != nil {
		return 0, false
	}
	defer j.Close()
	if j.Append(h.bytes[:h.at(70).Bytes], 70, h.at(70).Hash) != nil || j.Sync() != nil {
		return 0, false
	}
	if j.Append(h.bytes[h.at(70).Bytes:h.at(110).Bytes], 40, h.at(110).Hash) != nil {
		return 70, false
	}
	s, err := j.StageTail(from, tail.end())
	if err != nil {
		return 70, false
	}
	if _, err := s.Write(tail.bytes); err != nil || s.Commit() != nil {
		return 70, false
	}
	_ = j.Adopt(tail.end()) // whatever becomes of it, the stage or the journal has all of it
	return 110, true
}

func reopenAfterCrash(t *testing.T, what string, disk *vfs.Mem, h, tail *history, synced uint64, staged bool) {
	t.Helper()
	j, err := Open(Config{Dir: "/journal", FS: disk, Format: testFormat{}, SegmentBytes: testSegment})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	end := j.End()
	adopted := j.Adopt(tail.end())
	held, err := j.Holds(tail.end())
	must(t, err)
	switch {
	case staged && !held:
		t.Fatalf("%s: the staged tail is lost: %v", what, adopted)
	case !staged && adopted != nil && (end.Sequence < synced || h.at(end.Sequence) != end):
		t.Fatalf("%s: it ends at %+v, %d entries were synced", what, end, synced)
	case !held:
		tail = h
	}
	catchUp(t, j, tail)
	check(t, j, tail)
	must(t, j.Close())
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
