package snapshots

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
)

// scrubPages is how many pages Scrub reads in one call.
const scrubPages = 16

// Scrub walks over the newest snapshot on the disk: the manifest's file, then every page. It goes on where it was when a
// newer one is taken meanwhile. It holds no reference between calls. For one goroutine.
type Scrub struct {
	store *Store
	began bool     // the manifest was looked at
	last  *page.ID // looked at; nil: none
	buf   []byte
}

// Scrub returns one that is at the beginning.
func (s *Store) Scrub() *Scrub { return &Scrub{store: s, buf: make([]byte, page.Size)} }

// Name of what is scrubbed.
func (c *Scrub) Name() string { return "packs" }

// Next reads some pages. more is false behind the last one. The error is a *DamagedError, behind which the walk goes on, or
// ctx's, or why nothing can be read.
func (c *Scrub) Next(ctx context.Context) (bytes int, more bool, err error) {
	sn, err := c.store.Newest()
	if err != nil || sn == nil {
		return 0, false, err
	}
	bytes, more, err = c.next(ctx, sn)
	if !more {
		c.began, c.last = false, nil
	}
	return bytes, more, errors.Join(err, sn.Close())
}

func (c *Scrub) next(ctx context.Context, sn *Snapshot) (bytes int, more bool, err error) {
	if !c.began {
		c.began = true
		if bytes, err = c.store.checkManifest(sn.Manifest); err != nil {
			return bytes, true, err
		}
	}
	place := 0
	if c.last != nil {
		place = sn.after(*c.last)
	}
	for range scrubPages {
		if place >= sn.Pages() {
			return bytes, false, nil
		}
		if err := ctx.Err(); err != nil {
			return bytes, true, err
		}
		ref, id := sn.pages[place], sn.id(place)
		c.last = &id
		bytes += int(ref.length)
		if err := sn.openPacks[ref.pack].read(id, ref, c.buf); err != nil {
			return bytes, true, err
		}
		place++
	}
	return bytes, true, nil
}

// after is the place of the first page behind id.
func (m *Manifest) after(id page.ID) int {
	first := 0
	for _, t := range m.tables {
		if t.id == id.Table {
			if id.Number < t.first {
				return first
			}
			return first + int(min(id.Number+1-t.first, t.count))
		}
		first += int(t.count)
	}
	return first
}

// checkManifest reads the file of a manifest that is the newest, or was a moment ago, as the next start would.
func (s *Store) checkManifest(m *Manifest) (bytes int, err error) {
	path := filepath.Join(s.dir, manifestName(m))
	b, err := vfs.ReadFile(s.fs, path, maxManifestSize)
	if err == nil {
		_, err = decode(b)
	}
	if err == nil {
		return len(b), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest != m { // it was removed because there is a newer one
		return len(b), nil
	}
	return len(b), &DamagedError{File: path, Reason: err}
}
