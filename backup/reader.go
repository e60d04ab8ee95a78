package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// Reader reads a backup and checks that it is whole and as it was written. For one goroutine. Its errors are *DamagedError,
// ErrNewerVersion, and those of the stream.
type Reader struct {
	from   *bufio.Reader
	about  About
	sum    hash.Hash
	offset uint64 // of what is read next
	frames uint64
	last   Kind
	buf    []byte
	err    error // that ended it
}

// Frame is one of Manifest, Pages or Entries. Content is valid until the next one is read.
type Frame struct {
	Kind    Kind
	Offset  uint64
	Content []byte
}

// NewReader reads the header and what the backup is about.
func NewReader(from io.Reader) (*Reader, error) {
	r := &Reader{from: bufio.NewReaderSize(from, 256<<10), sum: sha256.New()}
	if err := r.readHeader(); err != nil {
		return nil, err
	}
	f, err := r.frame()
	if err != nil {
		return nil, err
	}
	if f.Kind != kindAbout {
		return nil, r.damaged(f, "about", fmt.Errorf("expected what the backup is about, found %v", f.Kind))
	}
	if r.about, err = decodeAbout(f.Content); err != nil {
		return nil, r.damaged(f, "about", err)
	}
	return r, nil
}

// About says what the backup is of, as its writer said before it began.
func (r *Reader) About() About { return r.about }

// Offset is how much was read.
func (r *Reader) Offset() uint64 { return r.offset }

// Next reads one frame. io.EOF: the backup has ended, all of it is here, and nothing follows it.
func (r *Reader) Next() (Frame, error) {
	if r.err != nil {
		return Frame{}, r.err
	}
	f, err := r.next()
	r.err = err
	return f, err
}

func (r *Reader) next() (Frame, error) {
	sum, bytes, frames := r.sum.Sum(nil), r.offset, r.frames
	f, err := r.frame()
	switch {
	case err != nil:
		return Frame{}, err
	case f.Kind == kindEnd:
		return Frame{}, r.ended(f, sum, bytes, frames)
	case f.Kind == kindAbout, f.Kind < r.last:
		return Frame{}, r.damaged(f, f.Kind.String(), fmt.Errorf("it does not follow %v", r.last))
	}
	r.last = f.Kind
	return f, nil
}

// ended compares the end with what was before it: io.EOF where it is right.
func (r *Reader) ended(f Frame, sum []byte, before, frames uint64) error {
	le := binary.LittleEndian
	switch c := f.Content; {
	case len(c) != endBytes:
		return r.damaged(f, "end", fmt.Errorf("%d bytes, expected %d", len(c), endBytes))
	case le.Uint64(c) != frames || le.Uint64(c[8:]) != before:
		return r.damaged(f, "end", fmt.Errorf("it is said to follow %d frames of %d bytes in all, and follows %d of %d", le.Uint64(c), le.Uint64(c[8:]), frames, before))
	case !bytes.Equal(c[16:], sum):
		return r.damaged(f, "end", fmt.Errorf("the SHA-256 of what is before is %x, expected %x", sum, c[16:]))
	}
	switch _, err := r.from.ReadByte(); {
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return err
	}
	return &DamagedError{Offset: r.offset, Part: "what follows the end", Reason: errors.New("nothing should")}
}

func (r *Reader) readHeader() error {
	b := make([]byte, headerBytes)
	if err := r.fill(b, 0, "header"); err != nil {
		return err
	}
	want := header()
	switch {
	case !bytes.Equal(b[:8], want[:8]):
		return &DamagedError{Part: "header", Reason: errMagic}
	case binary.LittleEndian.Uint32(b[12:]) != crc32.Checksum(b[:12], castagnoli()):
		return &DamagedError{Part: "header", Reason: errChecksum}
	case !bytes.Equal(b, want):
		return fmt.Errorf("%w: format version %d, this program reads %d", ErrNewerVersion, binary.LittleEndian.Uint32(b[8:]), FormatVersion)
	}
	return nil
}

// frame reads any frame and checks it by itself. Nothing is allocated for a length that is not bounded.
func (r *Reader) frame() (Frame, error) {
	f := Frame{Offset: r.offset}
	var head [frameBytes]byte
	if err := r.fill(head[:], f.Offset, "frame"); err != nil {
		return f, err
	}
	f.Kind = Kind(head[0])
	part := f.Kind.String()
	if f.Kind < kindAbout || f.Kind > kindEnd || head[1]|head[2]|head[3] != 0 {
		return f, r.damaged(f, "frame", fmt.Errorf("it begins with % x, which no frame does", head[:4]))
	}
	length := binary.LittleEndian.Uint32(head[4:])
	if length > MaxFrame {
		return f, r.damaged(f, part, fmt.Errorf("%d bytes, expected at most %d", length, MaxFrame))
	}
	if cap(r.buf) < int(length) {
		r.buf = make([]byte, length)
	}
	f.Content = r.buf[:length]
	if err := r.fill(f.Content, f.Offset, part); err != nil {
		return f, err
	}
	if crc32.Update(crc32.Checksum(head[:8], castagnoli()), castagnoli(), f.Content) != binary.LittleEndian.Uint32(head[8:]) {
		return f, r.damaged(f, part, errChecksum)
	}
	r.frames++
	return f, nil
}

// fill reads all of b; at is where the part that it belongs to begins.
func (r *Reader) fill(b []byte, at uint64, part string) error {
	n, err := io.ReadFull(r.from, b)
	r.offset += uint64(n)
	_, _ = r.sum.Write(b[:n]) // it never fails
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &DamagedError{Offset: at, Part: part, Reason: errCut}
	}
	return err
}

func (r *Reader) damaged(f Frame, part string, reason error) error {
	return &DamagedError{Offset: f.Offset, Part: part, Reason: reason}
}

// Check reads a backup to its end.
func Check(from io.Reader, read func(offset uint64)) (About, error) {
	r, err := NewReader(from)
	if err != nil {
		return About{}, err
	}
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return r.About(), nil
		} else if err != nil {
			return About{}, err
		}
		if read != nil {
			read(r.Offset())
		}
	}
}
