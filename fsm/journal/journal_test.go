package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ballastdb/ballast/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files anew")

// check compares a journal with what it should hold: every entry, by cursor and as a stream.
func check(t testing.TB, j *Journal, h *history) {
	t.Helper()
	if j.End() != h.end() {
		t.Fatalf("the journal ends at %+v, want %+v", j.End(), h.end())
	}
	c := j.Cursor()
	defer c.Close()
	for seq := uint64(1); seq <= h.end().Sequence; seq++ {
		got, err := c.Entry(seq)
		if err != nil || !bytes.Equal(got, h.entry(seq)) {
			t.Fatalf("entry %d is %x, %v; want %x", seq, got, err, h.entry(seq))
		}
	}
	for _, seq := range []uint64{0, h.end().Sequence + 1} {
		if _, err := c.Entry(seq); !errors.Is(err, ErrNotFound) {
			t.Fatalf("entry %d: %v, want ErrNotFound", seq, err)
		}
	}
	r, end := j.Reader()
	defer r.Close()
	if all, err := io.ReadAll(r); err != nil || !bytes.Equal(all, h.bytes) || end != h.end() {
		t.Fatalf("%d bytes to %+v, %v; want %d to %+v", len(all), end, err, len(h.bytes), h.end())
	}
}

// TestAgainstModel does everything that may be done to a journal, in any order, and compares it with a slice.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fsys, h := vfs.NewMem(), &history{}
		reopen := func() *Journal {
			j, err := Open(Config{Dir: "/journal", FS: fsys, Format: testFormat{}, SegmentBytes: testSegment})
			if err != nil {
				t.Fatal(err)
			}
			return j
		}
		j := reopen()
		defer func() { _ = j.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				from := h.end().Sequence
				for range rapid.IntRange(0, 60).Draw(t, "entries") {
					h.add(rapid.SliceOfN(rapid.Byte(), 0, testMax-testHead).Draw(t, "payload"))
				}
				b, n := h.from(from)
				if err := j.Append(b, n, h.end().Hash); err != nil {
					t.Fatal(err)
				}
			},
			"sync": func(t *rapid.T) {
				if err := j.Sync(); err != nil {
					t.Fatal(err)
				}
			},
			"truncate": func(t *rapid.T) {
				h.cut(rapid.Uint64Range(0, h.end().Sequence).Draw(t, "sequence"))
				if ok, err := j.Holds(h.end()); err != nil || !ok {
					t.Fatalf("it does not hold %+v: %v", h.end(), err)
				}
				if err := j.Truncate(h.end().Sequence, h.end().Bytes); err != nil {
					t.Fatal(err)
				}
			},
			"adopt": func(t *rapid.T) {
				from := Position{}
				if rapid.Bool().Draw(t, "another history") {
					h = &history{}
					h.add([]byte{byte(rapid.IntRange(0, 255).Draw(t, "other"))})
				} else {
					from = h.end()
				}
				h.grow(rapid.IntRange(0, 60).Draw(t, "entries"))
				s, err := j.StageTail(from, h.end())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.CopyBuffer(s, onlyReader{bytes.NewReader(h.bytes)}, make([]byte, rapid.IntRange(1, 300).Draw(t, "chunk"))); err != nil {
					t.Fatal(err)
				}
				if err := s.Commit(); err != nil {
					t.Fatal(err)
				}
				if rapid.Bool().Draw(t, "opened again between") {
					if err := j.Close(); err != nil {
						t.Fatal(err)
					}
					j = reopen()
				}
				if err := j.Adopt(h.end()); err != nil {
					t.Fatal(err)
				}
				if err := j.Adopt(h.end()); !errors.Is(err, ErrNoTail) {
					t.Fatalf("adopted twice: %v", err)
				}
			},
			"reopen": func(t *rapid.T) {
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
				j = reopen()
			},
			"": func(t *rapid.T) {
				if got := j.End(); got != h.end() {
					t.Fatalf("the journal ends at %+v, want %+v", got, h.end())
				}
				r, _ := j.Reader()
				defer r.Close()
				if all, err := io.ReadAll(r); err != nil || !bytes.Equal(all, h.bytes) {
					t.Fatalf("%d bytes, %v; want %d", len(all), err, len(h.bytes))
				}
				if last := h.end().Sequence; last > 0 {
					seq := rapid.Uint64Range(1, last).Draw(t, "sequence")
					c := j.Cursor()
					defer c.Close()
					if got, err := c.Entry(seq); err != nil || !bytes.Equal(got, h.entry(seq)) {
						t.Fatalf("entry %d is %x, %v; want %x", seq, got, err, h.entry(seq))
					}
				}
			},
		})
	})
}

// onlyReader hides WriteTo, so that io.CopyBuffer uses the buffer.
type onlyReader struct{ io.Reader }

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
				r, end := j.Reader()
				if all, err := io.ReadAll(r); err != nil || !bytes.Equal(all, h.bytes[:end.Bytes]) {
					t.Errorf("%d bytes, %v; want %d", len(all), err, end.Bytes)
				}
				must(t, r.Close())
			}
		})
	}
	for at := uint64(0); at < h.end().Sequence; at += 10 {
		must(t, j.Append(h.bytes[h.at(at).Bytes:h.at(at+10).Bytes], 10, h.at(at+10).Hash))
		if at%500 == 0 {
			must(t, j.Sync())
		}
	}
	readers.Wait()
}

func TestReaderNoticesACut(t *testing.T) {
	h := new(history).grow(200)
	j := open(t, vfs.NewMem(), "/journal")
	catchUp(t, j, h)
	r, _ := j.Reader()
	defer r.Close()
	c := j.Cursor()
	defer c.Close()
	_, err := io.ReadFull(r, make([]byte, 100))
	must(t, err)
	must(t, j.Truncate(150, h.at(150).Bytes))
	if _, err := io.ReadAll(r); !errors.Is(err, ErrReplaced) {
		t.Errorf("a reader of a journal that was cut: %v, want ErrReplaced", err)
	}
	if b, err := c.Entry(150); err != nil || !bytes.Equal(b, h.entry(150)) {
		t.Errorf("a cursor of a journal that was cut: %x, %v", b, err)
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
	if got := j.End(); got != h.at(damaged-1) {
		t.Errorf("opened with entry %d damaged it ends at %+v, want %+v", damaged, got, h.at(damaged-1))
	}
	catchUp(t, j, h)
	check(t, j, h)
}

// TestAnotherStatesEntriesAreRefused: what the state says it appended and what the journal got must agree.
func TestAnotherStatesEntriesAreRefused(t *testing.T) {
	h := new(history).grow(10)
	for name, bad := range map[string]func(j *Journal) error{
		"count": func(j *Journal) error { return j.Append(h.bytes, 9, h.end().Hash) },
		"hash":  func(j *Journal) error { return j.Append(h.bytes, 10, Hash{1, 2}) },
		"torn":  func(j *Journal) error { return j.Append(h.bytes[:len(h.bytes)-1], 10, h.end().Hash) },
		"order": func(j *Journal) error { b, n := h.from(5); return j.Append(b, n, h.end().Hash) },
	} {
		j := open(t, vfs.NewMem(), "/journal")
		if err := bad(j); err == nil {
			t.Errorf("%s: appended", name)
		}
		if err := j.Append(nil, 0, Hash{}); err == nil {
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

// TestTailsThatDoNotFitAreRefused: nothing of them is staged, and the journal stays as it is.
func TestTailsThatDoNotFitAreRefused(t *testing.T) {
	h, other := new(history).grow(10), &history{}
	other.add([]byte("another history"))
	other.grow(30)
	longer := new(history).grow(20)
	for name, c := range map[string]struct {
		from, to Position
		bytes    []byte
		want     error
	}{
		"short":           {h.end(), longer.end(), longer.bytes[:longer.at(17).Bytes], ErrCorrupt},
		"torn":            {h.end(), longer.end(), longer.bytes[:len(longer.bytes)-1], ErrCorrupt},
		"long":            {h.end(), longer.at(17), longer.bytes, ErrCorrupt},
		"another history": {h.end(), other.end(), other.bytes, ErrForeign},
	} {
		fsys := vfs.NewMem()
		j := open(t, fsys, "/journal")
		catchUp(t, j, h)
		s, err := j.StageTail(c.from, c.to)
		must(t, err)
		if _, err = s.Write(c.bytes); err == nil {
			err = s.Commit()
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		must(t, s.Abort())
		if err := j.Adopt(c.to); !errors.Is(err, ErrNoTail) {
			t.Errorf("%s: adopted: %v", name, err)
		}
		check(t, j, h)
		if names, err := fsys.ReadDir("/journal"); err != nil || len(names) != 2 {
			t.Errorf("%s: left behind: %q, %v", name, names, err)
		}
	}
}

// TestDamagedTailIsNotAdopted flips bits in a staged tail: what it leads to must not pass for what was wanted.
func TestDamagedTailIsNotAdopted(t *testing.T) {
	h := new(history).grow(10)
	fsys := vfs.NewMem()
	j := open(t, fsys, "/journal")
	s, err := j.StageTail(Position{}, h.end())
	must(t, err)
	_, err = s.Write(h.bytes)
	must(t, err)
	must(t, s.Commit())
	for at := range fsys.Bytes("/journal/" + stagedName) {
		bad := fsys.Clone()
		bad.Bytes("/journal/" + stagedName)[at] ^= 4
		if err := open(t, bad, "/journal").Adopt(h.end()); err == nil {
			t.Fatalf("adopted with a bit of byte %d flipped", at)
		}
	}
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	for _, name := range []string{"/journal/notes.txt", "/journal/00000001/notes.txt"} {
		fsys := vfs.NewMem()
		must(t, open(t, fsys, "/journal").Close())
		f, err := fsys.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
		must(t, err)
		must(t, f.Close())
		if _, err := Open(Config{Dir: "/journal", FS: fsys, Format: testFormat{}}); err == nil || !strings.Contains(err.Error(), "notes.txt") {
			t.Errorf("%s: %v, want an error that names it", name, err)
		}
	}
	fsys := vfs.NewMem()
	j := open(t, fsys, "/journal")
	catchUp(t, j, new(history).grow(1))
	must(t, fsys.Remove("/journal/CURRENT"))
	if _, err := Open(Config{Dir: "/journal", FS: fsys, Format: testFormat{}}); err == nil {
		t.Error("a journal without CURRENT was taken for an empty one")
	}
}

// TestGolden holds the bytes that journals in the field already have: a change here is a new format version.
func TestGolden(t *testing.T) {
	for name, got := range map[string][]byte{
		"header.bin": encodeHeader(0x0102030405060708, 0x1112131415161718, Hash{0x2122232425262728, 0x3132333435363738}),
		"CURRENT":    encodeCurrent(2),
		"STAGED":     encodeStaged(Position{1, 2, Hash{3, 4}}, Position{0x0102030405060708, 6, Hash{7, 8}}),
	} {
		path := filepath.Join("testdata", name)
		if *update {
			must(t, os.MkdirAll("testdata", 0o755))
			must(t, os.WriteFile(path, got, 0o644))
		}
		want, err := os.ReadFile(path)
		must(t, err)
		if !bytes.Equal(got, want) {
			t.Errorf("%s is\n%x, want\n%x", name, got, want)
		}
	}
	if set, err := decodeCurrent(encodeCurrent(2)); set != 2 || err != nil {
		t.Errorf("CURRENT names set %d, %v; want 2", set, err)
	}
	newer := encodeHeader(1, 0, Hash{})
	newer[offVersion] = 2
	sum := headerChecksum(newer)
	newer[offCRC], newer[offCRC+1], newer[offCRC+2], newer[offCRC+3] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	if err := checkHeader(newer, Position{}); !errors.Is(err, ErrNewerVersion) {
		t.Errorf("a header of version 2: %v, want ErrNewerVersion", err)
	}
}

// FuzzOpen opens any bytes as a segment: what it accepts must be readable, and the rest must be cut off.
func FuzzOpen(f *testing.F) {
	h := new(history).grow(5)
	whole := append(encodeHeader(1, 0, Hash{}), h.bytes...)
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add(whole[:headerLen-1])
	f.Fuzz(func(t *testing.T, segment []byte) {
		fsys := vfs.NewMem()
		must(t, open(t, fsys, "/journal").Close())
		file, err := fsys.OpenFile("/journal/00000001/"+segmentName(1), os.O_CREATE|os.O_RDWR, 0o600)
		must(t, err)
		_, err = file.WriteAt(segment, 0)
		must(t, err)
		j, err := Open(Config{Dir: "/journal", FS: fsys, Format: testFormat{}})
		if err != nil {
			return
		}
		defer j.Close()
		c := j.Cursor()
		defer c.Close()
		for seq := uint64(1); seq <= j.End().Sequence; seq++ {
			if _, err := c.Entry(seq); err != nil {
				t.Fatal(err)
			}
		}
		r, end := j.Reader()
		defer r.Close()
		all, err := io.ReadAll(r)
		if err != nil || uint64(len(all)) != end.Bytes || !bytes.HasPrefix(segment[min(headerLen, len(segment)):], all) {
			t.Fatalf("%d bytes, %v; the journal ends at %+v", len(all), err, end)
		}
	})
}

// FuzzAdopt adopts any bytes as a staged tail, and changes of a good one with the header's checksum set right: what is
// adopted must be what was wanted.
func FuzzAdopt(f *testing.F) {
	h := new(history).grow(12)
	good := append(encodeStaged(h.at(4), h.end()), h.bytes[h.at(4).Bytes:]...)
	f.Add(good)
	f.Add(good[:stagedHeader])
	f.Add([]byte{20, 1, 100, 2})
	f.Fuzz(func(t *testing.T, input []byte) {
		changed := bytes.Clone(good)
		for e := input; len(e) >= 2; e = e[2:] {
			changed[int(e[0])%len(changed)] ^= e[1]
		}
		sum := crc32.Checksum(changed[:offStagedCRC], crc32.MakeTable(crc32.Castagnoli))
		binary.LittleEndian.PutUint32(changed[offStagedCRC:], sum)
		for _, staged := range [][]byte{input, changed} {
			fsys := vfs.NewMem()
			j := open(t, fsys, "/journal")
			must(t, j.Append(h.bytes[:h.at(4).Bytes], 4, h.at(4).Hash))
			file, err := fsys.OpenFile("/journal/"+stagedName, os.O_CREATE|os.O_RDWR, 0o600)
			must(t, err)
			_, err = file.Write(staged)
			must(t, err)
			if err := j.Adopt(h.end()); err == nil {
				check(t, j, h)
			}
		}
	})
}
