// Package backup is the format of a backup: one stream with the pages of a snapshot, the journal up to it, and what proves
// that all of it is there. docs/formats/backup.md has the tables and why it is so.
//
// The package knows frames and their checksums; what is in them is its callers'. So it is small enough for the command line,
// which receives a backup and must know whether it is whole. Package backup/content knows what is in them.
package backup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Bounds, bytes.
const (
	// MaxFrame is what the content of one frame takes at most.
	MaxFrame = 1 << 20
	maxAbout = 16 << 10
)

// The file: a header, frames, the last of which is the end. All numbers little-endian.
const (
	magic = "BLSTBKUP"
	// FormatVersion of backups.
	FormatVersion = 1
	headerBytes   = 16 // magic 8 | version 4 | CRC-32C of both 4
	frameBytes    = 12 // kind 1 | zero 3 | length of the content 4 | CRC-32C of both and the content 4
	endBytes      = 48 // frames before it 8 | bytes before it 8 | SHA-256 of those bytes 32
)

// Kind of a frame. They come in this order; those in the middle any number of times.
type Kind uint8

// Kinds.
const (
	// About says what the backup is of: once, first.
	kindAbout Kind = iota + 1
	// Manifest is a piece of the snapshot's manifest.
	Manifest
	// Pages is a chunk of items, which are pages in the order of the manifest.
	Pages
	// Entries are whole entries of the journal, in order from its first.
	Entries
	// end says how much there was: once, last.
	kindEnd
)

// String names it.
func (k Kind) String() string {
	names := []string{"", "about", "manifest", "pages", "entries", "end"}
	if int(k) < len(names) && k > 0 {
		return names[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// ErrNewerVersion: the backup was made by a newer program.
var ErrNewerVersion = errors.New("backup of a newer version")

// DamagedError: the bytes are not a whole backup. Nothing of it may be used.
type DamagedError struct {
	// Offset in the backup of the header or frame that is damaged.
	Offset uint64
	// Part is what is damaged, or was expected there.
	Part string
	// Reason says what was found.
	Reason error
}

// Error implements error.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("the backup is damaged: %s at byte %d: %v; nothing of it is used: take another one, or fetch this one again from where it is kept", e.Part, e.Offset, e.Reason)
}

// Unwrap gives the reason.
func (e *DamagedError) Unwrap() error { return e.Reason }

var (
	errCut      = errors.New("it is cut off")
	errChecksum = errors.New("its checksum does not fit its content")
	errMagic    = errors.New("this does not begin as a backup does")
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func header() []byte {
	b := binary.LittleEndian.AppendUint32([]byte(magic), FormatVersion)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
}

// frameHead is what stands before a frame's content.
func frameHead(kind Kind, content []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{byte(kind), 0, 0, 0}, uint32(len(content)))
	return binary.LittleEndian.AppendUint32(b, crc32.Update(crc32.Checksum(b, castagnoli()), castagnoli(), content))
}
