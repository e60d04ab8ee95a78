package transport

import (
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// errSnapshotDamaged says that what arrived is not what was sent.
var errSnapshotDamaged = errors.New("snapshot damaged on the way")

// snapshotReader reads the bytes of a transfer. Its end is io.EOF only when the trailer has come and size and checksum are
// right; nothing beyond the announced size is read.
type snapshotReader struct {
	parts *snapshotParts
	size  int64 // announced
	found int64
	sum   hash.Hash32
	chunk []byte // what has not been read of the last one
	err   error  // the end
}

func newSnapshotReader(parts *snapshotParts, size int64) *snapshotReader {
	return &snapshotReader{parts: parts, size: size, sum: crc32.New(castagnoli())}
}

// Read implements io.Reader.
func (r *snapshotReader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for len(r.chunk) == 0 && r.err == nil {
		r.err = r.next()
	}
	n := copy(b, r.chunk)
	r.chunk = r.chunk[n:]
	if n > 0 {
		return n, nil
	}
	return 0, r.err
}

// next takes the next message.
func (r *snapshotReader) next() error {
	m, err := r.parts.next()
	if err != nil {
		return err
	}
	switch part := m.GetPart().(type) {
	case *raftv1.InstallSnapshotRequest_Chunk:
		r.found += int64(len(part.Chunk))
		if r.found > r.size {
			return fmt.Errorf("%w: expected %d bytes, found more", errSnapshotDamaged, r.size)
		}
		r.sum.Write(part.Chunk)
		r.chunk = part.Chunk
		return nil
	case *raftv1.InstallSnapshotRequest_End:
		return r.ended(part.End)
	default:
		return fmt.Errorf("%w: expected a chunk or the trailer, found %T", errSnapshotDamaged, part)
	}
}

// ended compares with the trailer.
func (r *snapshotReader) ended(end *raftv1.InstallSnapshotTrailer) error {
	if r.found != r.size || end.GetSize() != r.size {
		return fmt.Errorf("%w: expected %d bytes, found %d, sent %d", errSnapshotDamaged, r.size, r.found, end.GetSize())
	}
	if r.sum.Sum32() != end.GetCrc32C() {
		return fmt.Errorf("%w: expected CRC-32C %08x, found %08x", errSnapshotDamaged, end.GetCrc32C(), r.sum.Sum32())
	}
	return io.EOF
}
