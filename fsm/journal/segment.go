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
	magic         = "BALLASTJ"
	formatVersion = 1
	headerLen     = 64

	offVersion = 8
	offFirst   = 16
	offStart   = 24
	offHash    = 32
	offCRC     = 60

	suffix = ".journal"
)

// marksEvery is the number of entries between two places that are remembered: an entry is found by reading at most that
// many, and checked by the chain from one mark to the next.
const marksEvery = 32

// segment is one file of the journal.
type segment struct {
	first uint64 // sequence number of its first entry
	start uint64 // bytes of the journal before it
	marks []mark // of entries first, first+marksEvery, ...
	count uint64 // entries
	size  uint64 // bytes of entries, without the header

	file   vfs.File // for the writer; nil once it is full and synced
	synced uint64   // bytes of entries known to be durable
}

// mark is where an entry begins in its segment, and the chain's hash before it.
type mark struct {
	offset uint64
	before Hash
}

func (s *segment) end() uint64 { return s.start + s.size }

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, suffix) }

func parseSegmentName(name string) (first uint64, ok bool) {
	digits, found := strings.CutSuffix(name, suffix)
	if !found || len(digits) != 20 {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 10, 64)
	return first, err == nil && first > 0
}

func encodeHeader(first, start uint64, before Hash) []byte {
	b := make([]byte, headerLen)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[offVersion:], formatVersion)
	binary.LittleEndian.PutUint64(b[offFirst:], first)
	binary.LittleEndian.PutUint64(b[offStart:], start)
	binary.LittleEndian.PutUint64(b[offHash:], before[0])
	binary.LittleEndian.PutUint64(b[offHash+8:], before[1])
	binary.LittleEndian.PutUint32(b[offCRC:], headerChecksum(b))
	return b
}

func headerChecksum(b []byte) uint32 {
	return crc32.Checksum(b[:offCRC], crc32.MakeTable(crc32.Castagnoli))
}

// ErrNewerVersion: the journal was written by a newer program.
var ErrNewerVersion = errors.New("journal of a newer version")

// checkHeader tells whether b is the header of the segment that belongs at pos.
func checkHeader(b []byte, pos Position) error {
	if len(b) < headerLen || string(b[:len(magic)]) != magic || binary.LittleEndian.Uint32(b[offCRC:]) != headerChecksum(b) {
		return errors.New("no segment header")
	}
	if v := binary.LittleEndian.Uint32(b[offVersion:]); v != formatVersion {
		return fmt.Errorf("%w: format version %d, this program reads %d", ErrNewerVersion, v, formatVersion)
	}
	first, start := binary.LittleEndian.Uint64(b[offFirst:]), binary.LittleEndian.Uint64(b[offStart:])
	before := Hash{binary.LittleEndian.Uint64(b[offHash:]), binary.LittleEndian.Uint64(b[offHash+8:])}
	if !bytes.Equal(b[:headerLen], encodeHeader(first, start, before)) {
		return fmt.Errorf("%w: its header has fields that this program does not know", ErrNewerVersion)
	}
	if first != pos.Sequence+1 || start != pos.Bytes || before != pos.Hash {
		return fmt.Errorf("header of sequence %d at byte %d and hash %016x, want sequence %d at byte %d and hash %016x",
			first, start, before, pos.Sequence+1, pos.Bytes, pos.Hash)
	}
	return nil
}
