package journal

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ballastdb/ballast/internal/vfs"
)

// holed is a journal of 60 entries, a hole to 200, and entries to 300, synced; and what it would be without the hole.
func holed(t testing.TB, fsys *vfs.Mem) (*Journal, *history) {
	t.Helper()
	h, j := new(history).grow(300), open(t, fsys, "/journal")
	must(t, h.append(j, 0, 60))
	must(t, j.Place(h.at(200)))
	must(t, h.append(j, 200, 300))
	must(t, j.Sync())
	return j, h
}

func TestPlaceLeavesAHole(t *testing.T) {
	fsys := vfs.NewMem()
	j, h := holed(t, fsys)
	want := Hole{After: h.at(60), Until: h.at(200)}
	for _, j := range []*Journal{j, open(t, fsys.Crash(1), "/journal")} {
		if holes := j.Holes(); len(holes) != 1 || holes[0] != want {
			t.Fatalf("the holes are %+v, want %+v", holes, want)
		}
		checkHeld(t, j, h)
		_, err := j.Cursor().Entry(61)
		if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "entries 61 to 200 ") {
			t.Errorf("an entry in the hole: %v, want ErrMissing and which are", err)
		}
	}
	select {
	case <-j.Missing():
	default:
		t.Error("nobody is told of the hole")
	}
}

// TestFillResumes fills a hole in parts, with the process killed or the power cut in between.
func TestFillResumes(t *testing.T) {
	fsys := vfs.NewMem()
	j, h := holed(t, fsys)
	hole := j.Holes()[0]
	f, err := j.Fill(hole)
	must(t, err)
	if _, err := j.Fill(hole); !errors.Is(err, ErrFilling) {
		t.Errorf("filled twice at once: %v", err)
	}
	must(t, f.Write(h.bytes[h.at(60).Bytes:h.at(150).Bytes]))
	if got := f.At(); got != h.at(150) {
		t.Fatalf("it is at %+v, want %+v", got, h.at(150))
	}
	must(t, f.Close())
	for name, disk := range map[string]*vfs.Mem{"killed": fsys.Clone(), "power cut": fsys.Crash(2)} {
		j := open(t, disk, "/journal")
		f, err := j.Fill(hole)
		must(t, err)
		at := f.At()
		if name == "killed" && at != h.at(150) || at.Sequence < 60+testSegment/testMax || h.at(at.Sequence) != at {
			t.Errorf("%s: it goes on at %+v", name, at)
		}
		must(t, f.Write(h.bytes[at.Bytes:h.at(200).Bytes]))
		must(t, f.Commit())
		must(t, f.Close())
		check(t, j, h)
		check(t, open(t, disk.Crash(3), "/journal"), h)
	}
}

// TestOtherEntriesDoNotFillAHole: damaged ones are refused where they are; a whole other history at the end, and nothing of
// it stays.
func TestOtherEntriesDoNotFillAHole(t *testing.T) {
	fsys := vfs.NewMem()
	j, h := holed(t, fsys)
	other := new(history).grow(60)
	other.add([]byte("another history"))
	other.grow(300)
	f, err := j.Fill(j.Holes()[0])
	must(t, err)
	defer f.Close()
	missing := bytes.Clone(h.bytes[h.at(60).Bytes:h.at(200).Bytes])
	missing[h.at(100).Bytes-h.at(60).Bytes+testHead] ^= 1
	if err := f.Write(missing); !errors.Is(err, ErrCorrupt) || f.At().Sequence > 100 {
		t.Errorf("a damaged entry: %v, at %d", err, f.At().Sequence)
	}
	must(t, f.Discard())
	for name, entries := range map[string][]byte{
		"another history": other.bytes[other.at(60).Bytes:other.at(200).Bytes],
		"too much":        h.bytes[h.at(60).Bytes:h.at(201).Bytes],
	} {
		if err := f.Write(entries); !errors.Is(err, ErrForeign) || f.At() != h.at(60) {
			t.Errorf("%s: %v, at %d", name, err, f.At().Sequence)
		}
	}
	if err := f.Commit(); err == nil {
		t.Error("committed without the entries")
	}
	checkHeld(t, j, h)
	must(t, f.Write(h.bytes[h.at(60).Bytes:h.at(200).Bytes]))
	must(t, f.Commit())
	check(t, j, h)
}

// TestFillOfAHoleThatIsGone: the journal is placed elsewhere meanwhile.
func TestFillOfAHoleThatIsGone(t *testing.T) {
	j, h := holed(t, vfs.NewMem())
	hole := j.Holes()[0]
	f, err := j.Fill(hole)
	must(t, err)
	must(t, f.Write(h.bytes[h.at(60).Bytes:h.at(200).Bytes]))
	must(t, j.Truncate(50, h.at(50).Bytes))
	if err := f.Commit(); !errors.Is(err, ErrReplaced) {
		t.Errorf("committed into a hole that is gone: %v", err)
	}
	must(t, f.Close())
	if _, err := j.Fill(hole); !errors.Is(err, ErrReplaced) {
		t.Errorf("a hole that is gone is filled: %v", err)
	}
	catchUp(t, j, h)
	check(t, j, h)
}

// TestAnotherHistoryBecomesAHole: where it is seen, all of it; where it cannot be, when a hole is not filled from it.
func TestAnotherHistoryBecomesAHole(t *testing.T) {
	h, other := new(history).grow(300), &history{}
	other.add([]byte("another history"))
	other.grow(250)
	for _, at := range []uint64{200, other.end().Sequence, 300} {
		fsys := vfs.NewMem()
		j := open(t, fsys, "/journal")
		catchUp(t, j, other)
		must(t, j.Place(h.at(at)))
		hole := j.Holes()[0]
		if at == 300 {
			f, err := j.Fill(hole)
			must(t, err)
			if err := f.Write(h.bytes[h.at(251).Bytes:]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("entries follow another history: %v", err)
			}
			must(t, f.Close())
			must(t, j.Distrust(hole))
			hole = j.Holes()[0]
		}
		if want := (Hole{Until: h.at(at)}); hole != want {
			t.Fatalf("placed at %d the hole is %+v, want %+v", at, hole, want)
		}
		fillAll(t, j, h)
		catchUp(t, j, h)
		check(t, j, h)
		if left := damaged(t, fsys); len(left) > 0 {
			t.Errorf("filled, and set aside is still: %q", left)
		}
	}
}

// TestDamageIsSetAside damages a segment in the middle. It is never served; it is filled, and forgotten.
func TestDamageIsSetAside(t *testing.T) {
	h := new(history).grow(300)
	for name, damage := range map[string]func(b []byte){
		"an entry":   func(b []byte) { b[len(b)/2] ^= 4 },
		"the header": func(b []byte) { b[offStart] ^= 4 },
		"its end":    func(b []byte) { clear(b[len(b)-300:]) },
	} {
		fsys := vfs.NewMem()
		j := open(t, fsys, "/journal")
		catchUp(t, j, h)
		must(t, j.Sync())
		s := j.segments[len(j.segments)/2]
		want := Hole{After: s.from(), Until: s.until()}
		must(t, j.Close())

		scrubbed := fsys.Clone()
		damage(fsys.Bytes("/journal/" + segmentName(s.first, suffix)))
		j = open(t, fsys, "/journal")
		must(t, j.Place(h.end()))
		if holes := j.Holes(); len(holes) != 1 || holes[0] != want {
			t.Fatalf("%s: the holes are %+v, want %+v", name, holes, want)
		}
		checkHeld(t, j, h)
		if left := damaged(t, fsys); len(left) != 1 {
			t.Errorf("%s: set aside is %q", name, left)
		}
		fillAll(t, j, h)
		check(t, open(t, fsys.Crash(1), "/journal"), h)
		if left := damaged(t, fsys); len(left) > 0 {
			t.Errorf("%s: filled, and set aside is still: %q", name, left)
		}

		j = open(t, scrubbed, "/journal")
		must(t, j.Place(h.end()))
		damage(scrubbed.Bytes("/journal/" + segmentName(s.first, suffix)))
		if name == "the header" {
			continue // only read at open
		}
		next, err := j.Verify(t.Context(), 0, noPace)
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), segmentName(s.first, suffix)) || !strings.Contains(err.Error(), "entry ") {
			t.Fatalf("%s: verified: %v, want ErrCorrupt, segment and entry", name, err)
		}
		if holes := j.Holes(); next != want.Until.Sequence || len(holes) != 1 || holes[0] != want {
			t.Fatalf("%s: verified to %d, the holes are %+v, want %+v", name, next, holes, want)
		}
		if next, err = j.Verify(t.Context(), next, noPace); err != nil || next != 300 {
			t.Errorf("%s: verified on to %d: %v", name, next, err)
		}
		fillAll(t, j, h)
		check(t, j, h)
	}
}

// TestPlacedWhereTheScrubCondemns: the segment that was found to hold the position is set aside before the journal is cut there. What
// it held becomes part of a hole.
func TestPlacedWhereTheScrubCondemns(t *testing.T) {
	h, damage := new(history).grow(300), errors.New("found by the scrub")
	for _, held := range []uint64{20, 150, 295} {
		j := open(t, vfs.NewMem(), "/journal")
		catchUp(t, j, h)
		if holds, err := j.Holds(h.at(held)); err != nil || !holds {
			t.Fatalf("entry %d is not held: %v", held, err)
		}
		i, err := j.segmentOf(held)
		must(t, err)
		before := j.segments[i].from()
		must(t, j.condemn(held, damage))
		must(t, j.place(h.at(held), true, false))
		if end, holes := j.End(), j.Holes(); end != h.at(held) || len(holes) != 1 || holes[0] != (Hole{After: before, Until: h.at(held)}) {
			t.Fatalf("entry %d: the journal ends at %+v with the holes %+v, want one from %+v to the end", held, end, holes, before)
		}
		must(t, h.append(j, held, 300))
		fillAll(t, j, h)
		check(t, j, h)
	}
}

// TestDamageInTheSegmentBeingWritten: appends go on in a new one.
func TestDamageInTheSegmentBeingWritten(t *testing.T) {
	h, fsys := new(history).grow(300), vfs.NewMem()
	j := open(t, fsys, "/journal")
	must(t, h.append(j, 0, 290))
	s := j.segments[len(j.segments)-1]
	fsys.Bytes(j.path(s.first))[headerLen+testHead] ^= 1
	if _, err := j.Verify(t.Context(), 0, noPace); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("verified: %v", err)
	}
	catchUp(t, j, h)
	checkHeld(t, j, h)
	must(t, j.Sync())
	fillAll(t, j, h)
	check(t, open(t, fsys.Crash(1), "/journal"), h)
}

// TestTornEndIsNoDamage: what a crash tore behind the newest snapshot is not set aside, wherever it is.
func TestTornEndIsNoDamage(t *testing.T) {
	h := new(history).grow(300)
	for seed := range uint64(40) {
		fsys := vfs.NewMem()
		j := open(t, fsys, "/journal")
		must(t, h.append(j, 0, 120))
		must(t, j.Sync())
		catchUp(t, j, h)
		disk := fsys.Crash(seed)
		j = open(t, disk, "/journal")
		must(t, j.Place(h.at(120)))
		catchUp(t, j, h)
		check(t, j, h)
		if left := damaged(t, disk); len(left) > 0 {
			t.Fatalf("seed %d: set aside: %q", seed, left)
		}
	}
}

func fillAll(t testing.TB, j *Journal, h *history) {
	t.Helper()
	for _, hole := range j.Holes() {
		f, err := j.Fill(hole)
		must(t, err)
		must(t, f.Write(h.bytes[f.At().Bytes:hole.Until.Bytes]))
		must(t, f.Commit())
		must(t, f.Close())
	}
}

// damaged is what was set aside, and what was left of filling.
func damaged(t testing.TB, fsys *vfs.Mem) (names []string) {
	t.Helper()
	all, err := fsys.ReadDir("/journal")
	must(t, err)
	for _, name := range all {
		if filepath.Ext(name) != suffix {
			names = append(names, name)
		}
	}
	return names
}
