package snapshots

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
)

const (
	packMagic  = "BLSTPACK"
	packHeader = 24
)

// packWriter writes a pack, under a temporary name unless it is the staging area's.
type packWriter struct {
	fs     vfs.FS
	path   string // final name
	file   vfs.File
	buf    *bufio.Writer
	by     steps
	pace   func(bytes int) // waits until so many may be written; nil: it does not
	offset uint64
	out    uint64 // what lies before it is on the device, durable or not
	synced uint64 // what lies before it was fsynced
	staged bool   // the file has its name, and is the staging area's to close and to remove
}

// steps is how a pack is written. The log is on the same disk, and an fsync of it waits for what the disk is busy with. So a pack,
// which may be gigabytes, never has more than a piece under way. An fsync of the pack is not for each piece: it has appends to
// the journal wait, which go on while the state machine is locked. docs/performance.md has what was measured.
type steps struct {
	piece uint64        // bytes that are written out before the next are
	sync  uint64        // bytes between two fsyncs: no later one finds more in the device's own cache
	free  uint64        // bytes of a file that are given back to the file system at once
	rest  time.Duration // between two of those
}

func usualSteps() steps {
	return steps{piece: 256 << 10, sync: 32 << 20, free: 16 << 20, rest: 20 * time.Millisecond}
}

func createPack(fsys vfs.FS, path string, number uint64, by steps, pace func(int)) (*packWriter, error) {
	f, err := fsys.OpenFile(path+vfs.TempSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	w := &packWriter{fs: fsys, path: path, file: f, buf: bufio.NewWriterSize(f, int(by.piece)), by: by, pace: pace, offset: packHeader}
	if _, err := w.buf.Write(packHead(number)); err != nil {
		return nil, errors.Join(err, w.abort())
	}
	return w, nil
}

func packHead(number uint64) []byte {
	b := append(make([]byte, 0, packHeader), packMagic...)
	b = binary.LittleEndian.AppendUint32(b, FormatVersion)
	b = binary.LittleEndian.AppendUint32(b, 0)
	return binary.LittleEndian.AppendUint64(b, number)
}

// add writes a page's bytes without its trailing zeros and answers where they lie.
func (w *packWriter) add(data []byte) (offset uint64, length uint32, err error) {
	n := trimmed(data)
	offset, length = w.offset, uint32(n)
	padded := (n + 7) &^ 7 // zeros, from the page itself
	if _, err := w.buf.Write(data[:padded]); err != nil {
		return 0, 0, err
	}
	w.offset += uint64(padded)
	if w.offset-w.out < w.by.piece {
		return offset, length, nil
	}
	return offset, length, w.writeOut()
}

// writeOut has the piece that is complete written to the device, when its turn has come.
func (w *packWriter) writeOut() error {
	if w.pace != nil {
		w.pace(int(w.offset - w.out))
	}
	if err := w.buf.Flush(); err != nil {
		return err
	}
	if w.offset-w.synced >= w.by.sync {
		w.out, w.synced = w.offset, w.offset
		return w.file.Sync()
	}
	from := w.out
	w.out = w.offset
	return w.file.WriteBack(int64(from), int64(w.offset-from))
}

// finish makes the pack durable under its name.
func (w *packWriter) finish() error {
	err := w.buf.Flush()
	if err == nil {
		err = w.file.Sync()
	}
	if w.staged && err == nil {
		return w.fs.SyncDir(filepath.Dir(w.path))
	} else if w.staged {
		return err
	}
	if err = errors.Join(err, w.file.Close()); err != nil {
		return errors.Join(err, w.fs.Remove(w.path+vfs.TempSuffix))
	}
	if err := w.fs.Rename(w.path+vfs.TempSuffix, w.path); err != nil {
		return errors.Join(err, w.fs.Remove(w.path+vfs.TempSuffix))
	}
	// A crash from here on leaves a whole pack that no manifest names: opening removes it.
	return w.fs.SyncDir(filepath.Dir(w.path))
}

func (w *packWriter) abort() error {
	if w.staged {
		return nil
	}
	return errors.Join(w.file.Close(), w.fs.Remove(w.path+vfs.TempSuffix))
}

// pack is an open pack.
type pack struct {
	file   vfs.File
	path   string
	number uint64

	mu  sync.Mutex
	bad map[uint64]bool // offsets of pages that were found damaged
}

// damaged reports whether the page at an offset was found damaged. The next snapshot does not build on it: it takes the
// page anew.
func (p *pack) damaged(offset uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bad[offset]
}

// damage remembers that.
func (p *pack) damage(id page.ID, offset uint64, reason error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bad == nil {
		p.bad = map[uint64]bool{}
	}
	p.bad[offset] = true
	return &DamagedError{File: p.path, Page: &id, Reason: reason}
}

// openPack opens a pack and checks its header and length.
func openPack(fsys vfs.FS, path string, ref packRef) (*pack, error) {
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, &DamagedError{File: path, Reason: err}
	}
	if err := checkPack(f, ref); err != nil {
		return nil, &DamagedError{File: path, Reason: errors.Join(err, f.Close())}
	}
	return &pack{file: f, path: path, number: ref.number}, nil
}

func checkPack(f vfs.File, ref packRef) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	if uint64(size) != ref.length {
		return errShort
	}
	head := make([]byte, packHeader)
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case string(head[:8]) != packMagic:
		return errMagic
	case binary.LittleEndian.Uint32(head[8:]) != FormatVersion:
		return errVersion
	case string(head) != string(packHead(ref.number)):
		return errMeaning
	}
	return nil
}

// read fills buf, page.Size bytes, with a page and checks it.
func (p *pack) read(id page.ID, ref pageRef, buf []byte) error {
	if n, err := p.file.ReadAt(buf[:ref.length], int64(ref.offset)); err != nil && (!errors.Is(err, io.EOF) || n < int(ref.length)) {
		return p.damage(id, ref.offset, err)
	}
	clear(buf[ref.length:])
	if page.Checksum(id, buf) != ref.checksum {
		return p.damage(id, ref.offset, errHash)
	}
	return nil
}
