package snapshots

import (
	"encoding/binary"
	"io"

	"github.com/ballastdb/ballast/fsm/page"
)

// The stream that an opened snapshot reads as, README.md has the tables.
//
//	| head 32 | manifest | page | page | ... | tail |
const (
	streamMagic   = "BLSTPAGE"
	streamVersion = 1
	streamHead    = 32
)

// Opened is a snapshot opened for raft: Walk gives its pages, Meta the owner's; Read gives everything as one stream.
type Opened struct {
	snapshot *Snapshot
	owner    Owner
	meta     []byte
	manifest []byte // encoded
	length   uint64 // of the tail

	head []byte // of the stream, what has not been read of it
	next int    // page
	page []byte // what has not been read of the page before next
	buf  []byte
	tail io.ReadCloser // nil until it is read
}

func newOpened(sn *Snapshot, owner Owner, meta []byte, tail uint64) *Opened {
	o := &Opened{snapshot: sn, owner: owner, meta: meta, manifest: sn.encode(), length: tail}
	o.head = append(encodeStreamHead(uint64(len(o.manifest)), tail), o.manifest...)
	return o
}

func encodeStreamHead(manifest, tail uint64) []byte {
	b := append(make([]byte, 0, streamHead), streamMagic...)
	b = binary.LittleEndian.AppendUint32(b, streamVersion)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, manifest)
	return binary.LittleEndian.AppendUint64(b, tail)
}

// Size of the stream, bytes.
func (o *Opened) Size() uint64 {
	return streamHead + uint64(len(o.manifest)) + o.snapshot.LiveBytes() + o.length
}

// Meta is the owner's.
func (o *Opened) Meta() []byte { return o.meta }

// Walk reads and checks every page in order: see Snapshot.Walk.
func (o *Opened) Walk(yield func(page.Page) error) error { return o.snapshot.Walk(yield) }

// Read implements io.Reader.
func (o *Opened) Read(p []byte) (int, error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case len(o.head) > 0:
		n := copy(p, o.head)
		o.head = o.head[n:]
		return n, nil
	}
	for len(o.page) == 0 && o.next < o.snapshot.Pages() {
		if err := o.readPage(); err != nil {
			return 0, err
		}
	}
	if len(o.page) > 0 {
		n := copy(p, o.page)
		o.page = o.page[n:]
		return n, nil
	}
	if o.tail == nil {
		tail, err := o.owner.OpenTail(o.meta)
		if err != nil {
			return 0, err
		}
		o.tail = tail
	}
	return o.tail.Read(p)
}

// readPage reads the next page, checked.
func (o *Opened) readPage() error {
	if o.buf == nil {
		o.buf = make([]byte, page.Size)
	}
	ref := o.snapshot.pages[o.next]
	if err := o.snapshot.openPacks[ref.pack].read(o.snapshot.id(o.next), ref, o.buf); err != nil {
		return err
	}
	o.page = o.buf[:ref.length]
	o.next++
	return nil
}

// Close implements io.Closer.
func (o *Opened) Close() error {
	err := o.snapshot.Close()
	if o.tail != nil {
		if closeErr := o.tail.Close(); err == nil {
			err = closeErr
		}
		o.tail = nil
	}
	return err
}
