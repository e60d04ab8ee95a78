package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/ballastdb/ballast/internal/vfs"
)

// testFormat: length 2 | low half of the chain behind the entry 4 | payload.
type testFormat struct{}

const (
	testHead = 6
	testMax  = 64
)

func (testFormat) Size(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, nil
	}
	n := int(binary.LittleEndian.Uint16(b))
	if n < testHead || n > testMax {
		return n, fmt.Errorf("length %d", n)
	}
	return n, nil
}

func (testFormat) Chain(before Hash, sequence uint64, entry []byte) (Hash, error) {
	after := testChain(before, sequence, entry[testHead:])
	if binary.LittleEndian.Uint32(entry[2:]) != uint32(after[0]) {
		return after, errors.New("its hash does not fit")
	}
	return after, nil
}

func (testFormat) MaxSize() int { return testMax }

func testChain(before Hash, sequence uint64, payload []byte) Hash {
	var b [24 + testMax]byte
	binary.LittleEndian.PutUint64(b[0:], before[0])
	binary.LittleEndian.PutUint64(b[8:], before[1])
	binary.LittleEndian.PutUint64(b[16:], sequence)
	sum := sha256.Sum256(append(b[:24], payload...))
	return Hash{binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])}
}

// history is what a journal should hold.
type history struct {
	bytes []byte
	ends  []Position // behind entry i+1
}

func (h *history) at(sequence uint64) Position {
	if sequence == 0 {
		return Position{}
	}
	return h.ends[sequence-1]
}

func (h *history) end() Position { return h.at(uint64(len(h.ends))) }

func (h *history) entry(sequence uint64) []byte {
	return h.bytes[h.at(sequence-1).Bytes:h.at(sequence).Bytes]
}

func (h *history) cut(sequence uint64) {
	h.bytes = h.bytes[:h.at(sequence).Bytes:h.at(sequence).Bytes]
	h.ends = h.ends[:sequence:sequence]
}

func (h *history) add(payload []byte) {
	pos := h.end()
	pos.Sequence++
	pos.Hash = testChain(pos.Hash, pos.Sequence, payload)
	pos.Bytes += uint64(testHead + len(payload))
	h.bytes = binary.LittleEndian.AppendUint16(h.bytes, uint16(testHead+len(payload)))
	h.bytes = binary.LittleEndian.AppendUint32(h.bytes, uint32(pos.Hash[0]))
	h.bytes = append(h.bytes, payload...)
	h.ends = append(h.ends, pos)
}

// grow adds n entries of different lengths.
func (h *history) grow(n int) *history {
	for range n {
		i := len(h.ends)
		h.add([]byte(fmt.Sprintf("%d/%0*d", i, i*7%(testMax-testHead-8), i)))
	}
	return h
}

// hashes are the chain's after each of the entries behind from, up to one.
func (h *history) hashes(from, to uint64) (hashes [][2]uint64) {
	for _, end := range h.ends[from:to] {
		hashes = append(hashes, end.Hash)
	}
	return hashes
}

// append appends the entries behind from, up to one.
func (h *history) append(j *Journal, from, to uint64) error {
	return j.Append(h.bytes[h.at(from).Bytes:h.at(to).Bytes], h.hashes(from, to))
}

const testSegment = 1000

func open(t testing.TB, fsys vfs.FS, dir string) *Journal {
	t.Helper()
	j, err := Open(Config{Dir: dir, FS: fsys, Format: testFormat{}, SegmentBytes: testSegment})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, j.Close()) })
	return j
}

// tester is a *testing.T, or rapid's.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func must(t tester, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// catchUp appends what h has and j lacks.
func catchUp(t testing.TB, j *Journal, h *history) {
	t.Helper()
	must(t, h.append(j, j.End().Sequence, h.end().Sequence))
}

// files is the contents of every segment by name.
func files(t testing.TB, j *Journal) map[string]string {
	t.Helper()
	names, err := j.fs.ReadDir(j.dir)
	must(t, err)
	all := map[string]string{}
	for _, name := range names {
		b, err := vfs.ReadFile(j.fs, filepath.Join(j.dir, name), 1<<20)
		must(t, err)
		all[name] = string(b)
	}
	return all
}
