package fsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/fsm/proposal"
)

// What the state machine keeps with a snapshot's pages, docs/formats/snapshot.md. All numbers little-endian.
const (
	headerMagic   = "BLSTSNAP"
	headerVersion = 1
	headerBytes   = 128
	offHeaderCRC  = 124
)

// ErrCorruptSnapshot: it is not a snapshot as it was written.
var ErrCorruptSnapshot = errors.New("corrupt snapshot")

func corruptSnapshot(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorruptSnapshot, fmt.Sprintf(format, args...))
}

// snapshotHeader says what the pages are the state of, and which journal belongs to it.
type snapshotHeader struct {
	index, term uint64 // of the newest log entry that the state shows
	digest      page.Digest
	journal     journal.Position
	version     uint32 // cluster version
	logTime     int64
}

func (h *snapshotHeader) encode() []byte {
	b := make([]byte, headerBytes)
	copy(b, headerMagic)
	le := binary.LittleEndian
	le.PutUint32(b[8:], headerVersion)
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

// applicable refuses a snapshot of a cluster version that this program does not know, before anything of it is read: its pages may
// be laid out otherwise.
func (h *snapshotHeader) applicable() error {
	if h.version <= SupportedVersion {
		return nil
	}
	return fmt.Errorf("%w: the snapshot is of cluster version %d, this program knows %d to %d", proposal.ErrNewerVersion, h.version, FirstVersion, SupportedVersion)
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func decodeSnapshotHeader(b []byte) (h snapshotHeader, err error) {
	le := binary.LittleEndian
	if len(b) != headerBytes {
		return h, corruptSnapshot("its header has %d bytes, want %d", len(b), headerBytes)
	}
	if string(b[:8]) != headerMagic {
		return h, corruptSnapshot("it begins with %q, want %q", b[:8], headerMagic)
	}
	if v := le.Uint32(b[8:]); v != headerVersion {
		return h, fmt.Errorf("%w: snapshot format %d, this program reads %d", proposal.ErrNewerVersion, v, headerVersion)
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
	if !bytes.Equal(h.encode(), b) {
		return h, fmt.Errorf("%w: the header of the snapshot has fields that this program does not know", proposal.ErrNewerVersion)
	}
	return h, nil
}
