package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/ballastdb/ballast/internal/vfs"
)

// The header of a staged tail, docs/formats/journal.md. All numbers little-endian.
const (
	stagedName   = "STAGED"
	stagedMagic  = "BALLASTT"
	stagedHeader = 96
	offFrom      = 16
	offTo        = 48
	offStagedCRC = 92
	tailBuffer   = 1 << 20
)

// Errors of staged tails.
var (
	// ErrForeign: the journal here and the one that arrives do not begin alike.
	ErrForeign = errors.New("the journal here belongs to another history")
	// ErrNoTail: nothing is staged.
	ErrNoTail = errors.New("no tail of a journal is staged")
)

// Tail is the end of a journal as another member has it, on its way to the end of this one. It is staged in a file of its
// own, so that it can be durable before the snapshot that needs it is, while entries are still appended here. Adopt puts
// it in place.
type Tail struct {
	j        *Journal
	from, to Position
	at       Position // of what was written
	torn     []byte   // the beginning of an entry whose end has not been written yet
	file     vfs.File
	buf      *bufio.Writer
	durable  bool
}

// StageTail starts to stage the entries between from and to, which this journal does not have. from is its end, or
// another position that it holds, or zero to replace all of it. It replaces what was staged before.
func (j *Journal) StageTail(from, to Position) (*Tail, error) {
	if err := j.DropTail(); err != nil {
		return nil, err
	}
	f, err := j.fs.OpenFile(j.stagedPath()+vfs.TempSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("stage a tail of the journal: %w", err)
	}
	t := &Tail{j: j, from: from, to: to, file: f, buf: bufio.NewWriterSize(f, tailBuffer)}
	if _, err := t.buf.Write(encodeStaged(from, to)); err != nil {
		return nil, errors.Join(err, t.Abort())
	}
	return t, nil
}

// Write takes the other journal's bytes from its very beginning, so that the chain proves them; what is before the tail is
// not written. The bytes need not end with an entry. ErrForeign: they do not lead to where the tail begins.
func (t *Tail) Write(p []byte) (int, error) {
	b := append(t.torn, p...)
	for rest := b; ; {
		n, err := t.j.format.Size(rest)
		if err != nil || n > t.j.format.MaxSize() {
			return 0, fmt.Errorf("%w: an entry after %d of %d bytes: %w", ErrCorrupt, t.at.Sequence, n, err)
		}
		if n <= 0 || n > len(rest) {
			t.torn = append(t.torn[:0], rest...)
			return len(p), nil
		}
		if err := t.entry(rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
}

func (t *Tail) entry(entry []byte) error {
	after, err := t.j.format.Chain(t.at.Hash, t.at.Sequence+1, entry)
	if err != nil {
		return fmt.Errorf("%w: entry %d: %w", ErrCorrupt, t.at.Sequence+1, err)
	}
	if t.at.Sequence >= t.from.Sequence {
		if _, err := t.buf.Write(entry); err != nil {
			return err
		}
	}
	t.at = Position{Sequence: t.at.Sequence + 1, Bytes: t.at.Bytes + uint64(len(entry)), Hash: after}
	if t.at.Sequence == t.from.Sequence && t.at != t.from {
		return fmt.Errorf("%w: after entry %d it is at %+v, what arrives at %+v", ErrForeign, t.at.Sequence, t.from, t.at)
	}
	return nil
}

// Commit makes the tail durable, provided that it ends at exactly where StageTail was told, and also what this journal has
// before it. The journal itself does not change.
func (t *Tail) Commit() error {
	if t.at != t.to || len(t.torn) > 0 {
		return fmt.Errorf("%w: the staged tail ends at %+v with %d bytes of a torn entry, want %+v", ErrCorrupt, t.at, len(t.torn), t.to)
	}
	if err := t.j.Sync(); err != nil {
		return err
	}
	err := t.buf.Flush()
	if err == nil {
		err = t.file.Sync()
	}
	if err = errors.Join(err, t.file.Close()); err != nil {
		t.file = nil
		return err
	}
	t.file, t.durable = nil, true
	path := t.j.stagedPath()
	if err = t.j.fs.Rename(path+vfs.TempSuffix, path); err == nil {
		err = t.j.fs.SyncDir(t.j.root)
	}
	return err
}

// Abort removes what was staged, also behind Commit: call it then only where it is certain that no snapshot needs it.
func (t *Tail) Abort() error {
	var err error
	if t.file != nil {
		err = t.file.Close()
		t.file = nil
	}
	if t.durable {
		return errors.Join(err, t.j.DropTail())
	}
	return errors.Join(err, removeIfThere(t.j.fs, t.j.stagedPath()+vfs.TempSuffix))
}

// Adopt puts the staged tail in place: it cuts the journal to where the tail begins, appends the tail, makes that durable
// and removes the stage. A crash on the way leaves a stage that can be adopted again. ErrNoTail: none is staged that ends
// at want. Like Append, it is for the writer, and a failure behind the first change is final.
func (j *Journal) Adopt(want Position) error {
	f, err := j.fs.OpenFile(j.stagedPath(), os.O_RDONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return ErrNoTail
	} else if err != nil {
		return fmt.Errorf("open the staged tail of the journal: %w", err)
	}
	err = j.adopt(bufio.NewReaderSize(f, tailBuffer), want)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("adopt the staged tail of the journal: %w", err)
	}
	return j.DropTail()
}

func (j *Journal) adopt(r io.Reader, want Position) error {
	head := make([]byte, stagedHeader)
	if _, err := io.ReadFull(r, head); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	from, to, err := decodeStaged(head)
	if err != nil {
		return err
	}
	if to != want {
		return fmt.Errorf("%w: the one that is ends at %+v, want %+v", ErrNoTail, to, want)
	}
	if held, err := j.Holds(from); err != nil || !held {
		return errors.Join(fmt.Errorf("%w: the staged tail begins at %+v, the journal ends at %+v", ErrForeign, from, j.End()), err)
	}
	if err := j.Truncate(from.Sequence, from.Bytes); err != nil {
		return err
	}
	if err := j.appendFrom(r); err != nil {
		return err
	}
	if end := j.End(); end != want {
		return j.fail(fmt.Errorf("%w: with the staged tail the journal ends at %+v, want %+v", ErrCorrupt, end, want))
	}
	return j.Sync()
}

// appendFrom appends all entries that r has.
func (j *Journal) appendFrom(r io.Reader) error {
	buf, have := make([]byte, max(tailBuffer, 2*j.format.MaxSize())), 0
	for {
		n, err := r.Read(buf[have:])
		have += n
		whole := 0
		for whole < have {
			size, err := j.format.Size(buf[whole:have])
			if err != nil {
				return j.fail(fmt.Errorf("%w: %w", ErrCorrupt, err))
			}
			if size <= 0 || size > have-whole {
				break
			}
			whole += size
		}
		if err := j.appendAll(buf[:whole]); err != nil {
			return err
		}
		have = copy(buf, buf[whole:have])
		switch {
		case errors.Is(err, io.EOF) && have == 0:
			return nil
		case errors.Is(err, io.EOF) || have == len(buf):
			return j.fail(fmt.Errorf("%w: the staged tail has %d bytes behind its last entry", ErrCorrupt, have))
		case err != nil:
			return j.fail(err)
		}
	}
}

// DropTail removes what is staged, if anything is. What was put in place by other means is made durable first.
func (j *Journal) DropTail() error {
	names, err := j.fs.ReadDir(j.root)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != stagedName {
			continue
		}
		if err := j.Sync(); err != nil {
			return err
		}
		return removeIfThere(j.fs, j.stagedPath())
	}
	return nil
}

func removeIfThere(fsys vfs.FS, path string) error {
	if err := fsys.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (j *Journal) stagedPath() string { return filepath.Join(j.root, stagedName) }

func encodeStaged(from, to Position) []byte {
	b := make([]byte, stagedHeader)
	copy(b, stagedMagic)
	binary.LittleEndian.PutUint32(b[offVersion:], formatVersion)
	putPosition(b[offFrom:], from)
	putPosition(b[offTo:], to)
	binary.LittleEndian.PutUint32(b[offStagedCRC:], crc32.Checksum(b[:offStagedCRC], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func putPosition(b []byte, p Position) {
	for i, v := range []uint64{p.Sequence, p.Bytes, p.Hash[0], p.Hash[1]} {
		binary.LittleEndian.PutUint64(b[8*i:], v)
	}
}

func getPosition(b []byte) Position {
	le := binary.LittleEndian
	return Position{Sequence: le.Uint64(b), Bytes: le.Uint64(b[8:]), Hash: Hash{le.Uint64(b[16:]), le.Uint64(b[24:])}}
}

func decodeStaged(b []byte) (from, to Position, err error) {
	if string(b[:len(stagedMagic)]) != stagedMagic ||
		binary.LittleEndian.Uint32(b[offStagedCRC:]) != crc32.Checksum(b[:offStagedCRC], crc32.MakeTable(crc32.Castagnoli)) {
		return from, to, fmt.Errorf("%w: %s has no good header", ErrCorrupt, stagedName)
	}
	if v := binary.LittleEndian.Uint32(b[offVersion:]); v != formatVersion {
		return from, to, fmt.Errorf("%w: %s has format version %d, this program reads %d", ErrNewerVersion, stagedName, v, formatVersion)
	}
	from, to = getPosition(b[offFrom:]), getPosition(b[offTo:])
	if !bytes.Equal(encodeStaged(from, to), b) {
		return from, to, fmt.Errorf("%w: %s has fields that this program does not know", ErrNewerVersion, stagedName)
	}
	return from, to, nil
}
