package snapshots

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
)

// The staging area: a pack that no manifest names yet, and beside it a list of the pages in it. README.md has the format
// and what survives which crash.
const (
	areaSuffix     = ".staged"
	areaMagic      = "BLSTSTAG"
	areaHeader     = 24
	areaEntryBytes = 48
	areaSeed       = 0x73746167656470
	maxAreaSize    = 1 << 30
)

func areaName(number uint64) string { return fmt.Sprintf("%016x%s", number, areaSuffix) }

// area is the staging area. Its pages are checked whenever they are read, so the list need not be right, nor durable in any
// order: what it says of a page that is not there costs asking for that page again. An error of add or save leaves it of no
// use: discard it. For one goroutine.
type area struct {
	fs      vfs.FS
	dir     string
	number  uint64
	pack    *packWriter
	list    vfs.File
	listEnd int64
	pages   map[page.ID]pageRef // the newest version of each; pack means nothing
	unsaved []byte              // entries that are not in the list yet
	closed  bool
}

// createArea makes an empty one.
func createArea(fsys vfs.FS, dir string, number uint64) (*area, error) {
	a := &area{fs: fsys, dir: dir, number: number, pages: map[page.ID]pageRef{}, listEnd: areaHeader}
	if err := a.open(os.O_CREATE | os.O_TRUNC); err != nil {
		return nil, errors.Join(err, a.discard())
	}
	_, err := a.list.WriteAt(areaHead(number), 0)
	if err == nil {
		err = a.start(packHeader)
	}
	if err == nil {
		err = fsys.SyncDir(dir) // or save would make nothing durable
	}
	if err != nil {
		return nil, errors.Join(err, a.discard())
	}
	return a, nil
}

// openArea opens what another run of the process has left. nil: it was of no use, and is gone.
func openArea(fsys vfs.FS, dir string, number uint64) (*area, error) {
	a := &area{fs: fsys, dir: dir, number: number, pages: map[page.ID]pageRef{}, listEnd: areaHeader}
	err := a.open(0)
	var end uint64
	if err == nil {
		end, err = a.load()
	}
	if err == nil {
		err = a.list.Truncate(a.listEnd)
	}
	if err == nil {
		err = a.pack.file.Truncate(int64(end))
	}
	if err == nil {
		err = a.start(end)
	}
	if err != nil {
		return nil, errors.Join(err, a.discard())
	}
	return a, nil
}

func areaHead(number uint64) []byte {
	b := append(make([]byte, 0, areaHeader), areaMagic...)
	b = binary.LittleEndian.AppendUint32(b, FormatVersion)
	b = binary.LittleEndian.AppendUint32(b, 0)
	return binary.LittleEndian.AppendUint64(b, number)
}

func (a *area) listPath() string { return filepath.Join(a.dir, areaName(a.number)) }
func (a *area) packPath() string { return filepath.Join(a.dir, packName(a.number)) }

// open opens both files.
func (a *area) open(flag int) error {
	file, err := a.fs.OpenFile(a.packPath(), os.O_RDWR|flag, 0o600)
	if err != nil {
		return err
	}
	a.pack = &packWriter{fs: a.fs, path: a.packPath(), file: file, by: usualSteps(), staged: true}
	a.list, err = a.fs.OpenFile(a.listPath(), os.O_RDWR|flag, 0o600)
	return err
}

// start has the pack go on at an offset, and writes its head, which may not have survived.
func (a *area) start(offset uint64) error {
	a.pack.offset, a.pack.out, a.pack.synced = offset, offset, offset
	a.pack.buf = bufio.NewWriterSize(io.NewOffsetWriter(a.pack.file, int64(offset)), int(a.pack.by.piece))
	_, err := a.pack.file.WriteAt(packHead(a.number), 0)
	return err
}

// load reads the list up to where it was torn, and answers where the pages end that it names.
func (a *area) load() (end uint64, err error) {
	size, err := a.pack.file.Size()
	if err != nil {
		return 0, err
	}
	b, err := vfs.ReadFile(a.fs, a.listPath(), maxAreaSize)
	if err != nil {
		return 0, err
	}
	end = packHeader
	if len(b) < areaHeader || string(b[:areaHeader]) != string(areaHead(a.number)) {
		return end, fmt.Errorf("snapshots: %s: %w", a.listPath(), errMagic)
	}
	for b = b[areaHeader:]; len(b) >= areaEntryBytes; b = b[areaEntryBytes:] {
		id, ref, ok := decodeAreaEntry(b[:areaEntryBytes])
		if !ok {
			break
		}
		a.listEnd += areaEntryBytes
		last := ref.offset + (uint64(ref.length)+7)&^7
		if ref.offset >= packHeader && last >= ref.offset && last <= uint64(size) {
			a.pages[id] = ref
			end = max(end, last)
		}
	}
	return end, nil
}

func appendAreaEntry(b []byte, id page.ID, ref pageRef) []byte {
	at, le := len(b), binary.LittleEndian
	b = le.AppendUint32(b, uint32(id.Table))
	b = le.AppendUint32(b, ref.length)
	b = le.AppendUint64(b, id.Number)
	b = le.AppendUint64(b, ref.index)
	b = le.AppendUint64(b, ref.checksum)
	b = le.AppendUint64(b, ref.offset)
	lo, _ := page.Hash(areaSeed, b[at:])
	return le.AppendUint64(b, lo)
}

func decodeAreaEntry(b []byte) (id page.ID, ref pageRef, ok bool) {
	le := binary.LittleEndian
	lo, _ := page.Hash(areaSeed, b[:40])
	id = page.ID{Table: b[0], Number: le.Uint64(b[8:])}
	ref = pageRef{length: le.Uint32(b[4:]), index: le.Uint64(b[16:]), checksum: le.Uint64(b[24:]), offset: le.Uint64(b[32:])}
	return id, ref, lo == le.Uint64(b[40:]) && le.Uint32(b) <= 255 && ref.length <= page.Size
}

// add writes a page, of Size bytes.
func (a *area) add(p page.Page, checksum uint64) (pageRef, error) {
	offset, length, err := a.pack.add(p.Data)
	if err != nil {
		return pageRef{}, err
	}
	ref := pageRef{index: p.Index, checksum: checksum, offset: offset, length: length}
	a.pages[p.ID] = ref
	a.unsaved = appendAreaEntry(a.unsaved, p.ID, ref)
	return ref, nil
}

// get fills buf, page.Size bytes, with the version of a page that is here, checked; false: there is none that is good.
func (a *area) get(id page.ID, buf []byte) (pageRef, bool, error) {
	ref, ok := a.pages[id]
	if !ok {
		return ref, false, nil
	}
	if ref.offset+uint64(ref.length) > a.pack.offset-uint64(a.pack.buf.Buffered()) {
		if err := a.pack.buf.Flush(); err != nil {
			return ref, false, err
		}
	}
	p := pack{file: a.pack.file, path: a.pack.path}
	if err := p.read(id, ref, buf); err != nil {
		delete(a.pages, id) // torn by a power cut, or damaged
		return ref, false, nil
	}
	return ref, true, nil
}

// save makes what was added durable, and then the list of it.
func (a *area) save() error {
	if len(a.unsaved) == 0 {
		return nil
	}
	if err := a.pack.buf.Flush(); err != nil {
		return err
	}
	if err := a.pack.file.Sync(); err != nil {
		return err
	}
	if _, err := a.list.WriteAt(a.unsaved, a.listEnd); err != nil {
		return err
	}
	a.listEnd += int64(len(a.unsaved))
	a.unsaved = a.unsaved[:0]
	return a.list.Sync()
}

// unsavedPages is how many pages were added since save.
func (a *area) unsavedPages() int { return len(a.unsaved) / areaEntryBytes }

// newest is the index of the newest page.
func (a *area) newest() (index uint64) {
	for _, ref := range a.pages {
		index = max(index, ref.index)
	}
	return index
}

// waste is what a snapshot with this manifest has no use for, and what it has, bytes.
func (a *area) waste(m *Manifest) (waste, useful uint64) {
	for id, ref := range a.pages {
		if i, ok := m.find(id); ok && m.pages[i].index >= ref.index {
			useful += uint64(ref.length)
		}
	}
	return a.pack.offset - min(a.pack.offset, useful), useful
}

// moveTo copies what a snapshot with this manifest has a use for.
func (a *area) moveTo(to *area, m *Manifest) error {
	buf := make([]byte, page.Size)
	for id := range a.pages {
		i, ok := m.find(id)
		if !ok || m.pages[i].index < a.pages[id].index {
			continue
		}
		ref, ok, err := a.get(id, buf)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if _, err := to.add(page.Page{ID: id, Index: ref.index, Data: buf}, ref.checksum); err != nil {
			return err
		}
	}
	return to.save()
}

// close closes the files and leaves them for the next run.
func (a *area) close() error {
	if a.closed {
		return nil
	}
	a.closed = true
	var errs []error
	if a.pack != nil {
		errs = append(errs, a.pack.file.Close())
	}
	if a.list != nil {
		errs = append(errs, a.list.Close())
	}
	return errors.Join(errs...)
}

// forget gives up the list: the pack has become part of a snapshot.
func (a *area) forget() error {
	return errors.Join(a.close(), a.fs.Remove(a.listPath()))
}

// discard removes both files, the list first: without it the pack is removed by the next start.
func (a *area) discard() error {
	errs := []error{a.close()}
	for _, path := range []string{a.listPath(), a.packPath()} {
		if err := a.fs.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
