package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/ballastdb/ballast/internal/vfs"
)

// story is what is done to a disk, call by call, and what a start does with what is left.
type story struct {
	h *history
	// at is the position that the owner's newest snapshot names, which a start goes on at.
	at Position
	// synced is what was durable when the owner took that snapshot.
	synced uint64
}

// TestCrashLosesNothingThatWasSynced crosses every call that changes the disk, in a life of appends, snapshots, a snapshot of
// another member and the filling of the hole that it leaves, with {fails, fails but done, power cut after}. Then a start
// must go on at the newest snapshot, hold only what is right and all that was synced, and be filled to the end.
func TestCrashLosesNothingThatWasSynced(t *testing.T) {
	for _, fault := range []vfs.Fault{vfs.Fail, vfs.FailPersisted, vfs.PowerCut} {
		calls := 0
		for ; ; calls++ {
			fsys, n, hit := vfs.NewMem(), 0, vfs.Op{}
			fsys.Inject(func(op vfs.Op) vfs.Fault {
				if n++; n-1 == calls {
					hit = op
					return fault
				}
				return vfs.None
			})
			s := &story{h: new(history).grow(120)}
			s.live(fsys)
			fsys.Inject(nil)
			if hit.Kind == "" {
				break
			}
			what := fmt.Sprintf("fault %d at call %d, %s of %s", fault, calls, hit.Kind, hit.Path)
			for seed := range uint64(3) {
				s.restart(t, fmt.Sprintf("%s, seed %d", what, seed), fsys.Crash(seed))
			}
			if fault != vfs.PowerCut {
				s.restart(t, what+", only the process ended", fsys.Clone())
			}
		}
		if calls < 30 {
			t.Errorf("only %d faults were tried", calls)
		}
	}
}

// live appends 30 entries, takes a snapshot, appends 40, is given a snapshot of entry 90, appends 30, takes a snapshot,
// and fills the hole, as long as nothing fails.
func (s *story) live(fsys *vfs.Mem) {
	h := s.h
	j, err := Open(Config{Dir: "/journal", FS: fsys, Format: testFormat{}, SegmentBytes: testSegment})
	if err != nil {
		return
	}
	defer j.Close()
	appendTo := func(n uint64) error {
		at := j.End()
		return h.append(j, at.Sequence, n)
	}
	if appendTo(30) != nil || j.Sync() != nil {
		return
	}
	s.at, s.synced = h.at(30), 30
	if appendTo(45) != nil {
		return
	}
	s.at = h.at(90) // durable elsewhere before the journal is told
	if j.Place(h.at(90)) != nil || appendTo(105) != nil || j.Sync() != nil {
		return
	}
	s.at = h.at(105)
	for range 2 { // a failed attempt is repeated
		holes := j.Holes()
		if len(holes) == 0 {
			return
		}
		f, err := j.Fill(holes[0])
		if err != nil {
			continue
		}
		for f.At().Sequence < holes[0].Until.Sequence {
			at := f.At()
			if f.Write(h.bytes[at.Bytes:h.at(min(at.Sequence+17, holes[0].Until.Sequence)).Bytes]) != nil {
				break
			}
		}
		if f.Commit() == nil && len(j.Holes()) > 0 {
			panic("committed, and the hole is still there")
		}
		_ = f.Close()
	}
}

func (s *story) restart(t *testing.T, what string, disk *vfs.Mem) {
	t.Helper()
	j, err := Open(Config{Dir: "/journal", FS: disk, Format: testFormat{}, SegmentBytes: testSegment})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer j.Close()
	if err := j.Place(s.at); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for _, hole := range j.Holes() {
		if hole.After.Sequence < s.synced && s.at.Sequence == s.synced {
			t.Fatalf("%s: entries after %d are missing, %d were synced", what, hole.After.Sequence, s.synced)
		}
	}
	at := new(history).grow(int(s.at.Sequence))
	checkHeld(t, j, at)
	fillAll(t, j, s.h)
	catchUp(t, j, s.h)
	check(t, j, s.h)
	must(t, j.Sync())
	check(t, open(t, disk.Crash(9), "/journal"), s.h)
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
			must(t, h.append(j, at, n))
			if at = n; at >= snapshot && rng.IntN(3) == 0 {
				must(t, j.Sync())
			}
		}
		must(t, j.Close())
		j = open(t, fsys.Crash(rng.Uint64()), "/journal")
		if held, err := j.Holds(h.at(snapshot)); err != nil || !held {
			snapshot = 0 // it was not synced
		}
		must(t, j.Truncate(snapshot, h.at(snapshot).Bytes))
		for j.End().Sequence < 200 {
			at := j.End().Sequence
			n := min(200, at+1+rng.Uint64N(90))
			must(t, h.append(j, at, n))
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
		must(t, h.append(j, 0, 50))
		fsys.Inject(func(op vfs.Op) vfs.Fault {
			if op.Kind == kind {
				return vfs.Fail
			}
			return vfs.None
		})
		errs := []error{h.append(j, 50, h.end().Sequence)}
		errs = append(errs, j.Sync(), j.Truncate(3, h.at(3).Bytes))
		if errors.Join(errs...) == nil {
			t.Errorf("no call noticed that %s fails", kind)
		}
		fsys.Inject(nil)
		if j.Append(nil, nil) == nil || j.Sync() == nil || j.Truncate(0, 0) == nil && j.End() != (Position{}) {
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
	must(t, h.append(j, 0, h.end().Sequence))
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

// TestCrashWhileDamageIsMended crosses every call that changes the disk while a damaged segment is set aside and fetched
// again, and another one is found by reading again, with {fails, fails but done, power cut after}: a start finds what is
// left, and it is mended.
func TestCrashWhileDamageIsMended(t *testing.T) {
	h, whole := new(history).grow(120), vfs.NewMem()
	j := open(t, whole, "/journal")
	catchUp(t, j, h)
	must(t, j.Sync())
	first, second := j.segments[1].first, j.segments[2].first
	for _, fault := range []vfs.Fault{vfs.Fail, vfs.FailPersisted, vfs.PowerCut} {
		calls := 0
		for ; ; calls++ {
			fsys, n, hit := whole.Clone(), 0, vfs.Op{}
			fsys.Bytes("/journal/" + segmentName(first, suffix))[200] ^= 1
			fsys.Inject(func(op vfs.Op) vfs.Fault {
				if n++; n-1 == calls {
					hit = op
					return fault
				}
				return vfs.None
			})
			mend(fsys, h, second)
			fsys.Inject(nil)
			if hit.Kind == "" {
				break
			}
			s := &story{h: h, at: h.end()}
			what := fmt.Sprintf("fault %d at call %d, %s of %s", fault, calls, hit.Kind, hit.Path)
			for seed := range uint64(3) {
				s.restart(t, fmt.Sprintf("%s, seed %d", what, seed), fsys.Crash(seed))
			}
			if fault != vfs.PowerCut {
				s.restart(t, what+", only the process ended", fsys.Clone())
			}
		}
		if calls < 12 {
			t.Errorf("only %d faults were tried", calls)
		}
	}
}

// mend opens a damaged journal and fills its hole, then damages another segment, finds that and fills it, as long as nothing
// fails.
func mend(fsys *vfs.Mem, h *history, second uint64) {
	j, err := Open(Config{Dir: "/journal", FS: fsys, Format: testFormat{}, SegmentBytes: testSegment})
	if err != nil {
		return
	}
	defer j.Close()
	if j.Place(h.end()) != nil {
		return
	}
	for range 2 {
		for _, hole := range j.Holes() {
			f, err := j.Fill(hole)
			if err != nil {
				return
			}
			err = f.Write(h.bytes[f.At().Bytes:hole.Until.Bytes])
			if err == nil {
				err = f.Commit()
			}
			if errors.Join(err, f.Close()) != nil {
				return
			}
		}
		if b := fsys.Bytes("/journal/" + segmentName(second, suffix)); len(b) > 200 {
			b[200] ^= 1
		}
		_, _ = j.Verify(context.Background(), 0, noPace) // tells of the damage
	}
	_ = j.Sync()
}
