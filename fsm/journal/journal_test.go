package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/ballastdb/ballast/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files anew")

// check compares a journal with what it should hold: every entry by cursor, and all of them as another member reads them.
func check(t testing.TB, j *Journal, h *history) {
	t.Helper()
	if holes := j.Holes(); len(holes) > 0 {
		t.Fatalf("it has holes: %+v", holes)
	}
	checkHeld(t, j, h)
}

// checkHeld is check for a journal with holes: what is in them is missing, and nothing else.
func checkHeld(t tester, j *Journal, h *history) {
	t.Helper()
	if j.End() != h.end() {
		t.Fatalf("the journal ends at %+v, want %+v", j.End(), h.end())
	}
	missing := map[uint64]bool{}
	for _, hole := range j.Holes() {
		if h.at(hole.After.Sequence) != hole.After || h.at(hole.Until.Sequence) != hole.Until || hole.Entries() == 0 {
			t.Fatalf("a hole from %+v to %+v", hole.After, hole.Until)
		}
		for seq := hole.After.Sequence + 1; seq <= hole.Until.Sequence; seq++ {
			missing[seq] = true
		}
	}
	c := j.Cursor()
	defer c.Close()
	for seq := uint64(1); seq <= h.end().Sequence; seq++ {
		got, err := c.Entry(seq)
		if missing[seq] && !errors.Is(err, ErrMissing) || !missing[seq] && (err != nil || !bytes.Equal(got, h.entry(seq))) {
			t.Fatalf("entry %d, missing: %v, is %x, %v; want %x", seq, missing[seq], got, err, h.entry(seq))
		}
	}
	for _, seq := range []uint64{0, h.end().Sequence + 1} {
		if _, err := c.Entry(seq); !errors.Is(err, ErrNotFound) {
			t.Fatalf("entry %d: %v, want ErrNotFound", seq, err)
		}
	}
	if at := serveAll(t, j, h); at != h.end().Sequence {
		t.Fatalf("%d entries can be served, want %d", at, h.end().Sequence)
	}
}

// serveAll reads a journal as another member does, over its holes.
func serveAll(t tester, j *Journal, h *history) (at uint64) {
	t.Helper()
	for limit := 1; ; limit = limit%700 + 97 {
		b, err := j.ReadEntries(at, limit)
		var missing *MissingError
		if errors.As(err, &missing) {
			at = missing.Hole.Until.Sequence
			continue
		}
		must(t, err)
		if len(b) == 0 {
			return at
		}
		next := at + 1
		for next < h.end().Sequence && h.at(next).Bytes < h.at(at).Bytes+uint64(len(b)) {
			next++
		}
		if !bytes.Equal(b, h.bytes[h.at(at).Bytes:h.at(next).Bytes]) || next > at+1 && len(b) > limit {
			t.Fatalf("%d bytes are served behind entry %d with a limit of %d, want whole entries", len(b), at, limit)
		}
		at = next
	}
}

// TestReadsBesideAppends is for the race detector, and for reads of entries that have just been appended.
func TestReadsBesideAppends(t *testing.T) {
	h := new(history).grow(2000)
	j := open(t, vfs.OS{}, filepath.Join(t.TempDir(), "journal"))
	var readers sync.WaitGroup
	for i := range uint64(3) {
		readers.Go(func() {
			rng := rand.New(rand.NewPCG(i, i))
			c := j.Cursor()
			defer c.Close()
			for last := uint64(0); last < h.end().Sequence; {
				if last = j.End().Sequence; last == 0 {
					continue
				}
				seq := 1 + rng.Uint64N(last)
				if rng.IntN(4) == 0 {
					seq = last
				}
				if b, err := c.Entry(seq); err != nil || !bytes.Equal(b, h.entry(seq)) {
					t.Errorf("entry %d of %d is %x, %v; want %x", seq, last, b, err, h.entry(seq))
					return
				}
				b, err := j.ReadEntries(last/2, 500)
				if from := h.at(last / 2).Bytes; err != nil || len(b) == 0 || !bytes.HasPrefix(h.bytes[from:], b) {
					t.Errorf("%d bytes behind entry %d, %v", len(b), last/2, err)
				}
				if _, err := j.Verify(t.Context(), last/2, noPace); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for at := uint64(0); at < h.end().Sequence; at += 10 {
		must(t, h.append(j, at, at+10))
		if at%500 == 0 {
			must(t, j.Sync())
		}
	}
	readers.Wait()
}

func TestCursorNoticesACut(t *testing.T) {
	h := new(history).grow(200)
	j := open(t, vfs.NewMem(), "/journal")
	catchUp(t, j, h)
	c := j.Cursor()
	defer c.Close()
	_, err := c.Entry(190)
	must(t, err)
	must(t, j.Truncate(150, h.at(150).Bytes))
	if b, err := c.Entry(150); err != nil || !bytes.Equal(b, h.entry(150)) {
		t.Errorf("a cursor of a journal that was cut: %x, %v", b, err)
	}
	if _, err := c.Entry(190); !errors.Is(err, ErrNotFound) {
		t.Errorf("an entry that was cut: %v", err)
	}
}

// TestDamageIsNamed flips every bit of an entry in turn; the cursor must say which entry does not fit.
func TestDamageIsNamed(t *testing.T) {
	const damaged = 70
	h := new(history).grow(200)
	fsys := vfs.NewMem()
	j := open(t, fsys, "/journal")
	catchUp(t, j, h)
	s := j.segments[0]
	for _, next := range j.segments {
		if next.first <= damaged {
			s = next
		}
	}
	file := fsys.Bytes(j.path(s.first))
	at := headerLen + h.at(damaged-1).Bytes - s.start
	for i := range len(h.entry(damaged)) * 8 {
		file[int(at)+i/8] ^= 1 << (i % 8)
		c := j.Cursor()
		if _, err := c.Entry(damaged); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), fmt.Sprintf("entry %d ", damaged)) {
			t.Fatalf("bit %d of entry %d flipped: %v, want ErrCorrupt and its number", i, damaged, err)
		}
		must(t, c.Close())
		file[int(at)+i/8] ^= 1 << (i % 8)
	}
	file[at+testHead] ^= 1
	j = open(t, fsys.Clone(), "/journal")
	if holes := j.Holes(); len(holes) != 1 || holes[0].After != h.at(damaged-1) || holes[0].Until != h.at(s.until().Sequence) {
		t.Errorf("opened with entry %d damaged the holes are %+v, want one from there to the end of its segment", damaged, holes)
	}
	must(t, j.Truncate(damaged-1, h.at(damaged-1).Bytes))
	catchUp(t, j, h)
	check(t, j, h)
}

// TestAnotherStatesEntriesAreRefused: what the state says it appended and what the journal got must agree.
func TestAnotherStatesEntriesAreRefused(t *testing.T) {
	h := new(history).grow(10)
	for name, bad := range map[string]func(j *Journal) error{
		"fewer hashes": func(j *Journal) error { return j.Append(h.bytes, h.hashes(0, 9)) },
		"more hashes":  func(j *Journal) error { return j.Append(h.bytes[:h.at(9).Bytes], h.hashes(0, 10)) },
		"first hash":   func(j *Journal) error { return j.Append(h.bytes, append([][2]uint64{{1, 2}}, h.hashes(1, 10)...)) },
		"last hash":    func(j *Journal) error { return j.Append(h.bytes, append(h.hashes(0, 9), [2]uint64{1, 2})) },
		"torn":         func(j *Journal) error { return j.Append(h.bytes[:len(h.bytes)-1], h.hashes(0, 10)) },
		"order":        func(j *Journal) error { return h.append(j, 5, 10) },

		"imported: count": func(j *Journal) error { return j.Import(h.bytes, 9, h.end().Hash) },
		"imported: hash":  func(j *Journal) error { return j.Import(h.bytes, 10, Hash{1, 2}) },
		"imported: damaged": func(j *Journal) error {
			b := bytes.Clone(h.bytes)
			b[h.at(5).Bytes+testHead] ^= 1
			return j.Import(b, 10, h.end().Hash)
		},
	} {
		j := open(t, vfs.NewMem(), "/journal")
		if err := bad(j); err == nil {
			t.Errorf("%s: appended", name)
		}
		if err := j.Append(nil, nil); err == nil {
			t.Errorf("%s: the journal goes on after it", name)
		}
	}
	j := open(t, vfs.NewMem(), "/journal")
	catchUp(t, j, h)
	if err := j.Truncate(5, h.at(5).Bytes+1); err == nil || j.End() != h.end() {
		t.Errorf("cut where no entry ends: %v, ends at %+v", err, j.End())
	}
	wrong := h.at(5)
	wrong.Hash[1]++
	if ok, err := j.Holds(wrong); ok || err != nil {
		t.Errorf("it holds a position with another hash: %v, %v", ok, err)
	}
	check(t, j, h)
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	for _, name := range []string{"notes.txt", "00000000000000000000.journal", "1.journal", "00000000000000000001.pack"} {
		fsys := vfs.NewMem()
		must(t, open(t, fsys, "/journal").Close())
		f, err := fsys.OpenFile("/journal/"+name, os.O_CREATE|os.O_RDWR, 0o600)
		must(t, err)
		must(t, f.Close())
		if _, err := Open(Config{Dir: "/journal", FS: fsys, Format: testFormat{}}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want an error that names it", name, err)
		}
	}
}

// TestGolden holds the bytes that journals in the field already have: a change here is a new format version.
func TestGolden(t *testing.T) {
	from := Position{0x0102030405060707, 0x1112131415161718, Hash{0x2122232425262728, 0x3132333435363738}}
	got, path := encodeHeader(from), filepath.Join("testdata", "header.bin")
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("the header is\n%x, want\n%x", got, want)
	}
	if back, err := decodeHeader(want); back != from || err != nil {
		t.Errorf("the header decodes to %+v, %v; want %+v", back, err, from)
	}
	newer := bytes.Clone(want)
	newer[offVersion] = 2
	binary.LittleEndian.PutUint32(newer[offCRC:], headerChecksum(newer))
	if _, err := decodeHeader(newer); !errors.Is(err, ErrNewerVersion) {
		t.Errorf("a header of version 2: %v, want ErrNewerVersion", err)
	}
}

// FuzzOpen opens any bytes as a segment, alone and before a good one, in a journal that goes on there: what it takes must
// be readable, and lead to where the next one begins or be a hole.
func FuzzOpen(f *testing.F) {
	h := new(history).grow(30)
	whole := append(encodeHeader(Position{}), h.bytes[:h.at(20).Bytes]...)
	next := append(encodeHeader(h.at(20)), h.bytes[h.at(20).Bytes:]...)
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add(whole[:headerLen-1])
	f.Fuzz(func(t *testing.T, segment []byte) {
		for _, followed := range []bool{false, true} {
			fsys := vfs.NewMem()
			must(t, open(t, fsys, "/journal").Close())
			writeFile(t, fsys, "/journal/"+segmentName(1, suffix), segment)
			if followed {
				writeFile(t, fsys, "/journal/"+segmentName(21, suffix), next)
			}
			j, err := Open(Config{Dir: "/journal", FS: fsys, Format: testFormat{}})
			if err != nil {
				continue
			}
			if followed {
				must(t, j.Place(h.end()))
			}
			readable(t, j)
			must(t, j.Close())
		}
	})
}

// readable requires that every entry is there or in a hole.
func readable(t testing.TB, j *Journal) {
	t.Helper()
	c := j.Cursor()
	defer c.Close()
	for seq := uint64(1); seq <= min(j.End().Sequence, 1000); seq++ {
		if _, err := c.Entry(seq); err != nil && !errors.Is(err, ErrMissing) {
			t.Fatal(err)
		}
	}
	if _, err := j.Verify(t.Context(), 0, noPace); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t testing.TB, fsys vfs.FS, name string, b []byte) {
	t.Helper()
	file, err := fsys.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	must(t, err)
	_, err = file.WriteAt(b, 0)
	must(t, errors.Join(err, file.Close()))
}

func noPace(context.Context, int) error { return nil }
