package fsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/fsm/proposal"
)

// The stream of a snapshot, docs/formats/snapshot.md. All numbers little-endian.
//
//	| header 128 | page record | page record | ... | journal mark 16 | journal | trailer 32 |
const (
	streamMagic   = "BLSTSNAP"
	streamVersion = 1
	headerBytes   = 128
	offHeaderCRC  = 124

	tagPage    = 'P'
	tagJournal = 'J'
	tagEnd     = 'E'
	pageHead   = 32
	markBytes  = 16
	endBytes   = 32
	offEndCRC  = 28
)

// ErrCorruptSnapshot: the stream is not a snapshot as it was written.
var ErrCorruptSnapshot = errors.New("corrupt snapshot")

func corruptSnapshot(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorruptSnapshot, fmt.Sprintf(format, args...))
}

// snapshotHeader says what the stream holds.
type snapshotHeader struct {
	index, term uint64 // of the newest log entry that the state shows
	digest      page.Digest
	journal     journal.Position
	version     uint32 // cluster version
	logTime     int64
}

func (h *snapshotHeader) encode() []byte {
	b := make([]byte, headerBytes)
	copy(b, streamMagic)
	le := binary.LittleEndian
	le.PutUint32(b[8:], streamVersion)
	le.PutUint64(b[16:], h.index)
	le.PutUint64(b[24:], h.term)
	copy(b[32:], h.digest.Bytes())
	le.PutUint64(b[48:], h.journal.Sequence)
	le.PutUint64(b[56:], h.journal.Bytes)
	copy(b[64:], page.Digest(h.journal.Hash).Bytes())
	le.PutUint32(b[80:], h.version)
	le.PutUint32(b[84:], page.Size)
	le.PutUint64(b[88:], uint64(h.logTime))
	le.PutUint32(b[offHeaderCRC:], crc32.Checksum(b[:offHeaderCRC], castagnoli()))
	return b
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func decodeSnapshotHeader(b []byte) (h snapshotHeader, err error) {
	le := binary.LittleEndian
	if string(b[:8]) != streamMagic {
		return h, corruptSnapshot("it begins with %q, want %q", b[:8], streamMagic)
	}
	if v := le.Uint32(b[8:]); v != streamVersion {
		return h, fmt.Errorf("%w: snapshot format %d, this program reads %d", proposal.ErrNewerVersion, v, streamVersion)
	}
	if want, got := le.Uint32(b[offHeaderCRC:]), crc32.Checksum(b[:offHeaderCRC], castagnoli()); want != got {
		return h, corruptSnapshot("CRC-32C of the header is %08x, it says %08x", got, want)
	}
	if size := le.Uint32(b[84:]); size != page.Size {
		return h, corruptSnapshot("pages of %d bytes, want %d", size, page.Size)
	}
	hash, _ := page.DigestFromBytes(b[64:80])
	h.digest, _ = page.DigestFromBytes(b[32:48])
	h.index, h.term = le.Uint64(b[16:]), le.Uint64(b[24:])
	h.journal = journal.Position{Sequence: le.Uint64(b[48:]), Bytes: le.Uint64(b[56:]), Hash: journal.Hash(hash)}
	h.version, h.logTime = le.Uint32(b[80:]), int64(le.Uint64(b[88:]))
	if !bytes.Equal(h.encode(), b[:headerBytes]) {
		return h, fmt.Errorf("%w: the header of the snapshot has fields that this program does not know", proposal.ErrNewerVersion)
	}
	return h, nil
}

func encodePageHead(p page.Page) []byte {
	b := make([]byte, pageHead)
	b[0], b[1] = tagPage, p.Table
	binary.LittleEndian.PutUint32(b[4:], page.Size)
	binary.LittleEndian.PutUint64(b[8:], p.Number)
	binary.LittleEndian.PutUint64(b[16:], p.Index)
	binary.LittleEndian.PutUint64(b[24:], page.Checksum(p.ID, p.Data))
	return b
}

// decodePageHead reads the head of a page record and the checksum that its data must have.
func decodePageHead(b []byte) (p page.Page, checksum uint64, err error) {
	if n := binary.LittleEndian.Uint32(b[4:]); b[2] != 0 || b[3] != 0 || n != page.Size {
		return p, 0, corruptSnapshot("a page of %d bytes, want %d", n, page.Size)
	}
	p.ID = page.ID{Table: b[1], Number: binary.LittleEndian.Uint64(b[8:])}
	p.Index = binary.LittleEndian.Uint64(b[16:])
	return p, binary.LittleEndian.Uint64(b[24:]), nil
}

func encodeJournalMark(length uint64) []byte {
	b := make([]byte, markBytes)
	b[0] = tagJournal
	binary.LittleEndian.PutUint64(b[8:], length)
	return b
}

// streamWriter writes a stream and keeps its length and checksum.
type streamWriter struct {
	w   io.Writer
	n   uint64
	crc hash.Hash32
}

func newStreamWriter(w io.Writer) *streamWriter {
	return &streamWriter{w: w, crc: crc32.New(castagnoli())}
}

// Write is io.Writer's.
func (s *streamWriter) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	_, _ = s.crc.Write(p[:n]) // it never fails
	s.n += uint64(n)
	return n, err
}

// encodeEnd is the trailer without its checksum.
func encodeEnd(pages, length uint64) []byte {
	b := make([]byte, endBytes)
	b[0] = tagEnd
	binary.LittleEndian.PutUint64(b[8:], pages)
	binary.LittleEndian.PutUint64(b[16:], length)
	return b
}

// end writes the trailer.
func (s *streamWriter) end(pages uint64) error {
	b := encodeEnd(pages, s.n+endBytes)
	_, _ = s.crc.Write(b[:offEndCRC])
	binary.LittleEndian.PutUint32(b[offEndCRC:], s.crc.Sum32())
	_, err := s.w.Write(b)
	return err
}

// streamReader reads a stream and keeps its length and checksum.
type streamReader struct {
	r   io.Reader
	n   uint64
	crc hash.Hash32
}

func newStreamReader(r io.Reader) *streamReader {
	return &streamReader{r: r, crc: crc32.New(castagnoli())}
}

// Read is io.Reader's.
func (s *streamReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	_, _ = s.crc.Write(p[:n])
	s.n += uint64(n)
	return n, err
}

// fill reads the whole of b, all but its first have bytes.
func (s *streamReader) fill(b []byte, have int) error {
	if _, err := io.ReadFull(s, b[have:]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return corruptSnapshot("it ends at byte %d", s.n)
	} else if err != nil {
		return fmt.Errorf("read the snapshot at byte %d: %w", s.n, err)
	}
	return nil
}

// end reads and checks the trailer, behind its tag. Nothing may follow it.
func (s *streamReader) end(pages uint64) error {
	b := make([]byte, endBytes)
	b[0] = tagEnd
	if err := s.fill(b[:offEndCRC], 1); err != nil {
		return err
	}
	sum := s.crc.Sum32()
	if err := s.fill(b, offEndCRC); err != nil {
		return err
	}
	if want := binary.LittleEndian.Uint32(b[offEndCRC:]); want != sum {
		return corruptSnapshot("CRC-32C is %08x, it says %08x", sum, want)
	}
	if want := encodeEnd(pages, s.n); !bytes.Equal(b[:offEndCRC], want[:offEndCRC]) {
		return corruptSnapshot("its trailer is %x, want %x: %d pages in %d bytes", b[:offEndCRC], want[:offEndCRC], pages, s.n)
	}
	if n, err := io.ReadFull(s, make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return corruptSnapshot("something follows its end at byte %d", s.n-uint64(n))
	}
	return nil
}
