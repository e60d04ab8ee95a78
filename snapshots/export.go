package snapshots

import (
	"context"
	"fmt"

	"github.com/ballastdb/ballast/fsm/page"
)

// Export is the newest snapshot, held open while all of it is copied out. Close it.
type Export struct {
	from  *served
	store *RaftStore
	meta  []byte
}

// Export opens the newest snapshot to be copied out; nil: there is none yet.
func (s *RaftStore) Export() (*Export, error) {
	from, err := s.serving.acquire(0, 0)
	if err != nil || from == nil {
		return nil, err
	}
	meta, err := decodeRaftMeta(from.Meta)
	if err != nil {
		from.release()
		return nil, err
	}
	return &Export{from: from, store: s, meta: meta.owner}, nil
}

// Meta is the owner's part.
func (e *Export) Meta() []byte { return e.meta }

// Manifest is the encoded manifest. Where the pages lie on this disk means nothing to who reads it.
func (e *Export) Manifest() []byte { return e.from.encoded() }

// Describe is the snapshot in numbers.
func (e *Export) Describe() Description { return e.from.Describe() }

// Pages gives every page, checked, in the order of the manifest, as chunks of items, which send must not keep. One that is
// damaged on the disk is reported, and ends it.
func (e *Export) Pages(ctx context.Context, send func(items []byte) error) error {
	var out chunk
	buf := make([]byte, page.Size)
	last := e.from.Manifest.Pages() - 1
	return e.from.each(func(i int, _ *tableRef, id page.ID) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if out.empty() {
			out.begin(i)
		}
		ref := e.from.pages[i]
		if err := e.from.openPacks[ref.pack].read(id, ref, buf); err != nil {
			e.store.damaged(err)
			return err
		}
		out.page(buf, 0, 0)
		if len(out.b) < chunkBytes && i < last {
			return nil
		}
		err := send(out.b)
		out.b = out.b[:0]
		return err
	})
}

// Close ends it.
func (e *Export) Close() { e.from.release() }

// Import takes in what an Export gave, page by page, each checked. For one goroutine.
type Import struct {
	*Manifest
	meta raftMeta
	next int // place of the page that comes next
	buf  []byte
}

// NewImport begins with the manifest.
func NewImport(manifest []byte) (*Import, error) {
	m, err := decode(manifest)
	if err != nil {
		return nil, fmt.Errorf("snapshots: the manifest cannot be used: %w", err)
	}
	meta, err := decodeRaftMeta(m.Meta)
	if err != nil {
		return nil, err
	}
	return &Import{Manifest: m, meta: meta, buf: make([]byte, page.Size)}, nil
}

// OwnerMeta is the owner's part.
func (i *Import) OwnerMeta() []byte { return i.meta.owner }

// Items takes the next chunk and yields its pages; the data is valid until yield returns.
func (i *Import) Items(items []byte, yield func(page.Page) error) error {
	next, err := decodeItems(items, i.next, len(i.pages), func(int) int { return 0 }, func(it item) error {
		id, ref := i.id(it.place), i.pages[it.place]
		if it.kind != itemWhole {
			return fmt.Errorf("snapshots: page %d of table %d is not whole", id.Number, id.Table)
		}
		it.apply(i.buf)
		if page.Checksum(id, i.buf) != ref.checksum {
			return fmt.Errorf("snapshots: page %d of table %d: %w", id.Number, id.Table, errHash)
		}
		return yield(page.Page{ID: id, Index: ref.index, RecordSize: i.recordSize(id.Table), Data: i.buf})
	})
	i.next = next
	return err
}

// Complete is nil where every page came.
func (i *Import) Complete() error {
	if i.next != len(i.pages) {
		return fmt.Errorf("snapshots: expected %d pages, found %d", len(i.pages), i.next)
	}
	return nil
}
