package importer

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
)

// blockLen is how much of the file one checksum covers.
const blockLen = 256 << 10

// blocks are the checksums of a file's parts as they were checked. The file is read again when its rows are sent, and
// the sum of the whole would tell only after the last row that others were sent than were checked. 32 bytes for 256 KiB.
type blocks struct {
	whole hash.Hash
	sums  [][sha256.Size]byte
	open  []byte // the block that is not full yet
}

func newBlocks() *blocks { return &blocks{whole: sha256.New(), open: make([]byte, 0, blockLen)} }

// Write takes the file in, in order; it never fails.
func (b *blocks) Write(p []byte) (int, error) {
	b.whole.Write(p)
	for rest := p; len(rest) > 0; {
		n := min(len(rest), blockLen-len(b.open))
		b.open, rest = append(b.open, rest[:n]...), rest[n:]
		if len(b.open) == blockLen {
			b.closeBlock()
		}
	}
	return len(p), nil
}

func (b *blocks) closeBlock() {
	b.sums = append(b.sums, sha256.Sum256(b.open))
	b.open = b.open[:0]
}

// finish ends the file and returns the sum of the whole.
func (b *blocks) finish() (sum [sha256.Size]byte) {
	if len(b.open) > 0 {
		b.closeBlock()
	}
	b.open = nil
	b.whole.Sum(sum[:0])
	return sum
}

// changedError says that the file is not what was checked.
type changedError struct{ from int64 }

func (e *changedError) Error() string {
	return fmt.Sprintf("it is not what was checked, from byte %d or soon after; nothing from there on was sent. "+
		"Put the file back and run the same command again", e.from)
}

// sameReader reads a file that was read before, and gives out nothing of it before its block proved to be the same.
type sameReader struct {
	source io.Reader
	sums   [][sha256.Size]byte
	block  int // the next one
	buffer []byte
	ready  []byte // of buffer
}

func newSameReader(source io.Reader, b *blocks) *sameReader {
	return &sameReader{source: source, sums: b.sums, buffer: make([]byte, blockLen)}
}

// Read gives out what was checked, or fails with *changedError.
func (r *sameReader) Read(p []byte) (int, error) {
	if len(r.ready) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

func (r *sameReader) fill() error {
	n, err := io.ReadFull(r.source, r.buffer)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	if n == 0 && r.block == len(r.sums) {
		return io.EOF
	}
	if n == 0 || r.block == len(r.sums) || sha256.Sum256(r.buffer[:n]) != r.sums[r.block] {
		return &changedError{from: int64(r.block) * blockLen}
	}
	r.block++
	r.ready = r.buffer[:n]
	return nil
}
