package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/ballastdb/ballast/internal/vfs"
)

// The header of a segment, docs/formats/journal.md. All numbers little-endian.
const (
	magic = "BALLASTJ"
	// FormatVersion of segments.
	FormatVersion = 1
	headerLen     = 64

	offVersion = 8
	offFirst   = 16
	offStart   = 24
	offHash    = 32
	offCRC     = 60
)

// Endings of names; before them are the 20 digits of the first sequence number.
const (
	suffix        = ".journal"
	fillSuffix    = ".fill"
	damagedSuffix = ".damaged"
)

// marksEvery is the number of entries between two places that are remembered: an entry is found by reading at most that
// many, and checked by the chain from one mark to the next.
const marksEvery = 32

// segment is one file of the journal.
type segment struct {
	first  uint64 // sequence number of its first entry
	start  uint64 // bytes of the journal before it
	before Hash   // of the chain, before its first entry
	marks  []mark // of entries first, first+marksEvery, ...
	count  uint64 // entries
	size   uint64 // bytes of entries, without the header
	after  Hash   // of the chain, after its last entry
	fault  error  // why its file goes on behind the last good entry; nil: it does not

	file    vfs.File // for the writer; nil once it is full and synced
	synced  uint64   // bytes of entries known to be durable
	written uint64   // bytes of the file that were written back, header included: see WriteBack
}

// mark is where an entry begins in its segment, and the chain's hash before it.
type mark struct {
	offset uint64
	before Hash
}

func newSegment(from Position) *segment {
	return &segment{first: from.Sequence + 1, start: from.Bytes, before: from.Hash, after: from.Hash}
}

// from is the position before its first entry.
func (s *segment) from() Position {
	return Position{Sequence: s.first - 1, Bytes: s.start, Hash: s.before}
}

// until is the position after its last entry.
func (s *segment) until() Position {
	return Position{Sequence: s.first - 1 + s.count, Bytes: s.start + s.size, Hash: s.after}
}

// at is the position of mark m.
func (s *segment) at(m uint64) Position {
	return Position{Sequence: s.first - 1 + m*marksEvery, Bytes: s.start + s.marks[m].offset, Hash: s.marks[m].before}
}

// add counts an entry of size bytes, after which the chain is at after.
func (s *segment) add(size int, after Hash) {
	if s.count%marksEvery == 0 {
		s.marks = append(s.marks, mark{offset: s.size, before: s.after})
	}
	s.count++
	s.size += uint64(size)
	s.after = after
}

// segmentName is the name of the file with that first entry.
func segmentName(first uint64, suffix string) string { return fmt.Sprintf("%020d%s", first, suffix) }

// parseName takes a name apart; ok is false where it is none of the journal's.
func parseName(name string) (first uint64, ending string, ok bool) {
	if len(name) < 20 {
		return 0, "", false
	}
	first, err := strconv.ParseUint(name[:20], 10, 64)
	ending = name[20:]
	if ending != suffix && ending != fillSuffix && ending != damagedSuffix {
		return 0, "", false
	}
	return first, ending, err == nil && first > 0 && !strings.HasPrefix(name, "+")
}

func encodeHeader(from Position) []byte {
	b := make([]byte, headerLen)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[offVersion:], FormatVersion)
	binary.LittleEndian.PutUint64(b[offFirst:], from.Sequence+1)
	binary.LittleEndian.PutUint64(b[offStart:], from.Bytes)
	binary.LittleEndian.PutUint64(b[offHash:], from.Hash[0])
	binary.LittleEndian.PutUint64(b[offHash+8:], from.Hash[1])
	binary.LittleEndian.PutUint32(b[offCRC:], headerChecksum(b))
	return b
}

func headerChecksum(b []byte) uint32 {
	return crc32.Checksum(b[:offCRC], crc32.MakeTable(crc32.Castagnoli))
}

// ErrNewerVersion: the journal was written by a newer program.
var ErrNewerVersion = errors.New("journal of a newer version")

// decodeHeader is where the segment with that header begins.
func decodeHeader(b []byte) (from Position, err error) {
	if len(b) < headerLen || string(b[:len(magic)]) != magic || binary.LittleEndian.Uint32(b[offCRC:]) != headerChecksum(b) {
		return from, errors.New("no segment header")
	}
	if v := binary.LittleEndian.Uint32(b[offVersion:]); v != FormatVersion {
		return from, fmt.Errorf("%w: format version %d, this program reads %d", ErrNewerVersion, v, FormatVersion)
	}
	first := binary.LittleEndian.Uint64(b[offFirst:])
	from = Position{
		Sequence: first - 1, Bytes: binary.LittleEndian.Uint64(b[offStart:]),
		Hash: Hash{binary.LittleEndian.Uint64(b[offHash:]), binary.LittleEndian.Uint64(b[offHash+8:])},
	}
	if !bytes.Equal(b[:headerLen], encodeHeader(from)) {
		return from, fmt.Errorf("%w: its header has fields that this program does not know", ErrNewerVersion)
	}
	return from, nil
}
