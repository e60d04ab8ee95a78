package backup

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sampleAbout() About {
	return About{
		ClusterID: "6f2c1b3a-0000-4000-8000-000000000001", Member: "node-2", Version: "0.1.0", TakenAt: time.Unix(1_785_000_000, 0).UTC(),
		Index: 4711, Term: 3, LogTime: 1_785_000_000_000_000_000, Digest: "0123456789abcdef0123456789abcdef", Pages: 2, PageBytes: 300, Entries: 9, EntryBytes: 900,
	}
}

// frames of a sample, in order.
type frame struct {
	kind    Kind
	content string
}

func sampleFrames() []frame {
	return []frame{{Manifest, "the mani"}, {Manifest, "fest"}, {Pages, strings.Repeat("page", 20)}, {Entries, "entry 1, entry 2"}, {Entries, ""}}
}

func write(t testing.TB, frames []frame) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, sampleAbout())
	check(t, err)
	for _, f := range frames {
		check(t, w.Frame(f.kind, []byte(f.content)))
	}
	check(t, w.End())
	if w.Bytes() != uint64(out.Len()) {
		t.Fatalf("%d bytes are said to be written, %d were", w.Bytes(), out.Len())
	}
	return out.Bytes()
}

// readAll reads a backup to its end.
func readAll(from io.Reader) (About, []frame, error) {
	r, err := NewReader(from)
	if err != nil {
		return About{}, nil, err
	}
	var frames []frame
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.About(), frames, nil
		}
		if err != nil {
			return r.About(), frames, err
		}
		frames = append(frames, frame{f.Kind, string(f.Content)})
	}
}

func TestRoundTrip(t *testing.T) {
	about, frames, err := readAll(bytes.NewReader(write(t, sampleFrames())))
	check(t, err)
	if about != sampleAbout() {
		t.Errorf("about %+v, want %+v", about, sampleAbout())
	}
	want := sampleFrames()
	if len(frames) != len(want) {
		t.Fatalf("%d frames, want %d", len(frames), len(want))
	}
	for i := range want {
		if frames[i] != want[i] {
			t.Errorf("frame %d is %+v, want %+v", i, frames[i], want[i])
		}
	}
}

// TestGolden compares with bytes written once: a backup must be readable for years.
func TestGolden(t *testing.T) {
	const file = "testdata/backup-1.hex"
	got := hex.Dump(write(t, sampleFrames()))
	if os.Getenv("BALLAST_GOLDEN") == "write" {
		check(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	check(t, err)
	if got != strings.ReplaceAll(string(want), "\r", "") {
		t.Fatalf("the format changed:\n%s\nwant\n%s", got, want)
	}
}

// TestEveryBitCounts: a backup that was cut off anywhere, that goes on behind its end, or in which any bit is another, is refused
// with the place.
func TestEveryBitCounts(t *testing.T) {
	good := write(t, sampleFrames())
	refused := func(what string, at int, b []byte) {
		t.Helper()
		_, _, err := readAll(bytes.NewReader(b))
		var damaged *DamagedError
		switch {
		case err == nil:
			t.Fatalf("%s at %d is not seen", what, at)
		case errors.As(err, &damaged) && damaged.Offset <= uint64(at) && damaged.Part != "":
		default:
			t.Fatalf("%s at %d is answered with %v", what, at, err)
		}
	}
	for at := range good {
		refused("a cut", at, good[:at])
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[at] ^= 1 << bit
			refused("a flipped bit", at, bad)
		}
	}
	refused("one byte more", len(good), append(bytes.Clone(good), 0))
	refused("another backup behind it", len(good), append(bytes.Clone(good), good...))
}

func TestNewerVersionIsNamed(t *testing.T) {
	b := header()
	b[8]++
	binary.LittleEndian.PutUint32(b[12:], crc32.Checksum(b[:12], castagnoli()))
	if _, err := NewReader(bytes.NewReader(b)); !errors.Is(err, ErrNewerVersion) {
		t.Errorf("a newer version is answered with %v", err)
	}
}

func TestFramesComeInOrder(t *testing.T) {
	w, err := NewWriter(io.Discard, sampleAbout())
	check(t, err)
	check(t, w.Frame(Pages, nil))
	for _, kind := range []Kind{0, kindAbout, Manifest, kindEnd, 9} {
		if err := w.Frame(kind, nil); err == nil {
			t.Errorf("a frame of %v was written behind one of %v", kind, Pages)
		}
	}
	if err := w.Frame(Entries, make([]byte, MaxFrame+1)); err == nil {
		t.Error("a frame that is too long was written")
	}
	check(t, w.End())
	if err := w.Frame(Entries, nil); err == nil {
		t.Error("a frame was written behind the end")
	}
	// What no Writer writes, rightly summed.
	for what, frames := range map[string][]frame{
		"manifest behind pages": {{Pages, "p"}, {Manifest, "m"}},
		"about twice":           {{kindAbout, "{}"}},
		"about behind entries":  {{Entries, "e"}, {kindAbout, "{}"}},
	} {
		var out bytes.Buffer
		w, err := NewWriter(&out, sampleAbout())
		check(t, err)
		for _, f := range frames {
			check(t, w.frame(f.kind, []byte(f.content)))
		}
		check(t, w.End())
		var damaged *DamagedError
		if _, _, err := readAll(&out); !errors.As(err, &damaged) {
			t.Errorf("%s is answered with %v", what, err)
		}
	}
}

// FuzzReader: whatever comes is refused, or is what a Writer writes of it.
func FuzzReader(f *testing.F) {
	f.Add(write(f, sampleFrames()))
	f.Add(write(f, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		about, frames, err := readAll(bytes.NewReader(b))
		if err != nil {
			return
		}
		var again bytes.Buffer
		w, err := NewWriter(&again, about)
		check(t, err)
		for _, f := range frames {
			check(t, w.Frame(f.kind, []byte(f.content)))
		}
		check(t, w.End())
		if _, same, err := readAll(&again); err != nil || len(same) != len(frames) {
			t.Fatalf("written again it is %v, %v", same, err)
		}
	})
}
