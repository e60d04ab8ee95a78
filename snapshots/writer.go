package snapshots

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/ballastdb/ballast/fsm/page"
)

// Writer takes one snapshot. Give it every page of the state with Page, in order, then Commit; or Abort.
type Writer struct {
	store    *Store
	base     *Snapshot // what unchanged pages are taken from; nil: nothing
	manifest *Manifest
	number   uint64
	pack     *packWriter // nil until a page is written
	place    uint32      // of the new pack in manifest.packs
	fresh    *pack       // the new pack, durable; nil until Prepare, or where no page is new
	prepared bool
	pace     func(int)    // see packWriter
	ended    func() error // why writing is given up; nil: nobody asks for that
	written  uint64       // bytes of pages in the new pack
	staged   bool         // fresh stays on the disk when this writer is given up: it is the staging area's
	slot     *bool        // of the store, true while this writer is open
	done     bool
}

// Begin starts a snapshot of the state at index and term. One at a time: ErrBusy. A snapshot that is not newer than the
// newest is refused, but the same again is not: it replaces it.
func (s *Store) Begin(index, term uint64) (*Writer, error) { return s.begin(index, term, &s.writing) }

// BeginStaged starts one that is prepared while others are taken, for as long as that takes: Prepare, and Commit when its
// time has come. Until then it keeps the packs that it builds on. One at a time too: ErrBusy.
func (s *Store) BeginStaged(index, term uint64) (*Writer, error) {
	return s.begin(index, term, &s.staging)
}

// begin makes a writer that has the slot, which mu guards, until it ends.
func (s *Store) begin(index, term uint64, slot *bool) (*Writer, error) {
	base, err := s.Newest()
	if err != nil {
		return nil, err
	}
	m := &Manifest{Index: index, Term: term}
	if base != nil && m.before(base.Manifest) {
		err := fmt.Errorf("snapshots: index %d, term %d is older than the newest snapshot's index %d, term %d", index, term, base.Index, base.Term)
		return nil, errors.Join(err, base.Close())
	}
	w := &Writer{store: s, base: base, manifest: m, slot: slot}
	if base != nil {
		m.packs = append(m.packs, base.packs...)
	}
	w.place = uint32(len(m.packs))
	s.mu.Lock()
	busy := *slot
	if !busy {
		w.number = s.next
		*slot, s.next = true, s.next+1
	}
	s.mu.Unlock()
	if busy && base != nil {
		return nil, errors.Join(ErrBusy, base.Close())
	}
	if busy {
		return nil, ErrBusy
	}
	return w, nil
}

// Changed reports whether a page with this index must be given with its data: the newest snapshot does not hold it.
func (w *Writer) Changed(id page.ID, index uint64) bool {
	if w.base == nil {
		return true
	}
	i, ok := w.base.find(id)
	return !ok || w.base.pages[i].index != index || w.base.bad(i)
}

// has reports whether the newest snapshot holds exactly this page.
func (w *Writer) has(id page.ID, ref pageRef) bool {
	if w.base == nil {
		return false
	}
	i, ok := w.base.find(id)
	return ok && w.base.pages[i].index == ref.index && w.base.pages[i].checksum == ref.checksum && !w.base.bad(i)
}

// Page adds a page, in order of table and number. Data nil means unchanged: what the newest snapshot holds.
func (w *Writer) Page(p page.Page) error {
	if p.Data == nil {
		if w.Changed(p.ID, p.Index) {
			return fmt.Errorf("snapshots: page %d of table %d at index %d comes without data, and the newest snapshot does not hold it", p.Number, p.Table, p.Index)
		}
		i, _ := w.base.find(p.ID)
		return w.manifest.add(p.ID, uint32(p.RecordSize), w.base.pages[i])
	}
	ref, err := w.write(p)
	if err != nil {
		return err
	}
	return w.manifest.add(p.ID, uint32(p.RecordSize), ref)
}

// write puts a page into the new pack.
func (w *Writer) write(p page.Page) (pageRef, error) {
	if len(p.Data) != page.Size {
		return pageRef{}, fmt.Errorf("snapshots: page %d of table %d has %d bytes, want %d", p.Number, p.Table, len(p.Data), page.Size)
	}
	if w.pack == nil {
		pack, err := createPack(w.store.fs, filepath.Join(w.store.dir, packName(w.number)), w.number, w.store.steps, w.pace)
		if err != nil {
			return pageRef{}, err
		}
		w.pack = pack
	}
	if w.ended != nil {
		if err := w.ended(); err != nil {
			return pageRef{}, err
		}
	}
	offset, length, err := w.pack.add(p.Data)
	w.written += uint64(length)
	return pageRef{index: p.Index, checksum: page.Checksum(p.ID, p.Data), offset: offset, length: length, pack: w.place}, err
}

// Commit makes the snapshot durable and the newest. After an error the snapshot before is still the newest and this one
// may be taken again, unless the store answers ErrReopen from then on, or the error is a LeftoverError.
func (w *Writer) Commit(digest page.Digest, meta []byte) error {
	if len(meta) > maxMeta {
		return errors.Join(fmt.Errorf("snapshots: %d bytes of meta, at most %d", len(meta), maxMeta), w.Abort())
	}
	if err := w.Prepare(); err != nil {
		return errors.Join(err, w.Abort())
	}
	w.manifest.Digest, w.manifest.Meta = digest, append([]byte(nil), meta...)
	err := w.store.commit(w.manifest, w.fresh)
	var left *LeftoverError
	if err == nil || errors.As(err, &left) {
		w.fresh = nil
		return errors.Join(err, w.end())
	}
	return errors.Join(err, w.Abort())
}

// Prepare makes everything durable but the manifest, after the last page. Commit does it where it was not done.
func (w *Writer) Prepare() error {
	if w.prepared {
		return nil
	}
	if err := w.rewriteSparse(); err != nil {
		return err
	}
	if w.pack != nil {
		ref := packRef{number: w.number, length: w.pack.offset}
		w.manifest.packs = append(w.manifest.packs, ref)
		pack := w.pack
		w.pack = nil
		if err := pack.finish(); err != nil {
			return err
		}
		var err error
		if w.fresh, err = openPack(w.store.fs, pack.path, ref); err != nil {
			return err
		}
	}
	w.manifest.prune()
	w.prepared = true
	return nil
}

// rewriteSparse copies the live pages of the sparsest packs into the new one until the packs hold at most twice what
// lives.
func (w *Writer) rewriteSparse() error {
	m := w.manifest
	for {
		live := make([]uint64, len(m.packs)+1)
		total := uint64(0)
		for _, p := range m.pages {
			live[p.pack] += uint64(p.length)
			total += uint64(p.length)
		}
		held, worst := live[w.place], -1
		for i, p := range m.packs {
			if live[i] == 0 {
				continue // goes away by itself
			}
			held += p.length
			if worst < 0 || live[i]*m.packs[worst].length < live[worst]*p.length {
				worst = i
			}
		}
		if worst < 0 || held <= 2*total || live[worst] == m.packs[worst].length-packHeader {
			return nil
		}
		if err := w.rewrite(uint32(worst)); err != nil {
			return err
		}
	}
}

// rewrite copies the live pages of one pack.
func (w *Writer) rewrite(pack uint32) error {
	buf := make([]byte, page.Size)
	for i, ref := range w.manifest.pages {
		if ref.pack != pack {
			continue
		}
		id := w.manifest.id(i)
		if err := w.base.openPacks[pack].read(id, ref, buf); err != nil {
			return err
		}
		ref, err := w.write(page.Page{ID: id, Index: ref.index, Data: buf})
		if err != nil {
			return err
		}
		w.manifest.pages[i] = ref
	}
	return nil
}

// Abort gives the snapshot up. Harmless after Commit and when called twice.
func (w *Writer) Abort() error {
	var err error
	if w.pack != nil {
		err = w.pack.abort()
		w.pack = nil
	}
	if w.fresh != nil {
		err = errors.Join(err, w.fresh.file.Close())
		if w.store.unused() && !w.staged {
			err = errors.Join(err, w.store.fs.Remove(w.fresh.path))
		}
		w.fresh = nil
	}
	return errors.Join(err, w.end())
}

func (w *Writer) end() error {
	if w.done {
		return nil
	}
	w.done = true
	w.store.mu.Lock()
	*w.slot = false
	w.store.mu.Unlock()
	if w.base == nil {
		return nil
	}
	return w.base.Close()
}
