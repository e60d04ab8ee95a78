package snapshots

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
)

// Report is what Check found in a directory of snapshots.
type Report struct {
	// Manifest is the newest one's file; empty: there is none.
	Manifest string
	// Description of it, where it can be read.
	Description
	// Meta is its owner's.
	Meta []byte
	// Checked pages, and what is damaged, all of it.
	Checked int
	Damage  []*DamagedError
}

// Check looks at a directory that nobody has open, and changes nothing: the newest manifest, the packs that it names, and,
// where pages is true, every page. An error is a directory that cannot be read at all.
func Check(fsys vfs.FS, dir string, pages bool) (*Report, error) {
	fsys = vfs.ReadOnly(fsys)
	names, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, manifestSuffix) })
	r := &Report{}
	if len(names) == 0 {
		return r, nil
	}
	r.Manifest = filepath.Join(dir, slices.Max(names)) // fixed-width hex: the last is the newest
	m, err := readManifestFile(fsys, r.Manifest)
	if err != nil {
		r.damaged(&DamagedError{File: r.Manifest, Reason: err})
		return r, nil
	}
	meta, err := decodeRaftMeta(m.Meta)
	if err != nil {
		r.damaged(&DamagedError{File: r.Manifest, Reason: err})
		return r, nil
	}
	r.Description, r.Meta = m.Describe(), meta.owner
	return r, r.checkPacks(fsys, dir, m, pages)
}

func readManifestFile(fsys vfs.FS, path string) (*Manifest, error) {
	b, err := vfs.ReadFile(fsys, path, maxManifestSize)
	if err != nil {
		return nil, err
	}
	m, err := decode(b)
	if err == nil && manifestName(m) != filepath.Base(path) {
		err = fmt.Errorf("it is that of index %d, term %d", m.Index, m.Term)
	}
	return m, err
}

// checkPacks opens the packs, and reads the pages in them.
func (r *Report) checkPacks(fsys vfs.FS, dir string, m *Manifest, pages bool) (err error) {
	packs := make([]*pack, len(m.packs))
	for i, ref := range m.packs {
		path := filepath.Join(dir, packName(ref.number))
		p, opened := openPack(fsys, path, ref)
		var damaged *DamagedError
		if errors.As(opened, &damaged) {
			r.damaged(damaged)
			continue
		}
		if opened != nil {
			return opened
		}
		packs[i] = p
		defer func() { err = errors.Join(err, p.file.Close()) }()
	}
	if !pages {
		return nil
	}
	buf := make([]byte, page.Size)
	for i, ref := range m.pages {
		if packs[ref.pack] == nil {
			continue // all of it has been told
		}
		r.Checked++
		var damaged *DamagedError
		if err := packs[ref.pack].read(m.id(i), ref, buf); errors.As(err, &damaged) {
			r.damaged(damaged)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) damaged(d *DamagedError) {
	if errors.Is(d.Reason, os.ErrNotExist) {
		d = &DamagedError{File: d.File, Page: d.Page, Reason: errors.New("it is not there")}
	}
	r.Damage = append(r.Damage, d)
}
