package snapshots

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/page"
)

// install takes apart the stream of another member's snapshot as it arrives. Pages go to the writer, unless the newest
// snapshot here has them, and to the owner; the tail goes to the owner.
type install struct {
	owner         Owner
	writer        *Writer
	configuration uint64 // its index, as raft announced it
	meta          []byte // the owner's
	digest        page.Digest

	part     int
	need     uint64 // bytes of the present part
	buf      []byte // what has arrived of it
	manifest *Manifest
	next     int    // page
	tail     uint64 // bytes that are still to come
	receiver Receiver
	data     []byte // of a page
}

// Parts of a stream.
const (
	partStart = iota
	partHead
	partManifest
	partPages
	partTail
)

// Write implements io.Writer.
func (i *install) Write(p []byte) (int, error) {
	n := len(p)
	if i.part == partStart {
		i.part, i.need = partHead, streamHead
	}
	for {
		if err := i.skipFull(); err != nil {
			return 0, err
		}
		if len(p) == 0 {
			return n, nil
		}
		if i.part == partTail {
			if err := i.writeTail(p); err != nil {
				return 0, err
			}
			return n, nil
		}
		take := min(i.need-uint64(len(i.buf)), uint64(len(p)))
		i.buf = append(i.buf, p[:take]...)
		p = p[take:]
	}
}

// skipFull goes on while the present part is complete; pages may be of no bytes at all.
func (i *install) skipFull() error {
	for i.part != partTail && uint64(len(i.buf)) == i.need {
		if err := i.take(); err != nil {
			return err
		}
	}
	return nil
}

// take takes the present part, which is complete, and starts the next one.
func (i *install) take() error {
	part := i.buf
	i.buf = i.buf[:0]
	switch i.part {
	case partHead:
		return i.takeHead(part)
	case partManifest:
		if err := i.takeManifest(part); err != nil {
			return err
		}
		i.buf = make([]byte, 0, page.Size)
	case partPages:
		if err := i.takePage(part); err != nil {
			return err
		}
	}
	if i.next == i.manifest.Pages() {
		i.part = partTail
	} else {
		i.part, i.need = partPages, uint64(i.manifest.pages[i.next].length)
	}
	return nil
}

func (i *install) takeHead(b []byte) error {
	switch {
	case string(b[:8]) != streamMagic:
		return i.bad(errMagic)
	case binary.LittleEndian.Uint32(b[8:]) != streamVersion || binary.LittleEndian.Uint32(b[12:]) != 0:
		return i.bad(errVersion)
	}
	i.part, i.need, i.tail = partManifest, binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
	if i.need < manifestHeader+hashBytes || i.need > maxManifestSize {
		return i.bad(errMeaning)
	}
	return nil
}

func (i *install) takeManifest(b []byte) error {
	m, err := decode(b)
	if err != nil {
		return i.bad(err)
	}
	if want := i.writer.manifest; m.Index != want.Index || m.Term != want.Term {
		return i.bad(fmt.Errorf("it is that of index %d, term %d, not of %d, %d", m.Index, m.Term, want.Index, want.Term))
	}
	meta, err := decodeRaftMeta(m.Meta)
	if err != nil {
		return i.bad(err)
	}
	if want := i.configuration; meta.configurationIndex != want {
		return i.bad(fmt.Errorf("its configuration is that of index %d, not of %d", meta.configurationIndex, want))
	}
	i.manifest, i.digest, i.meta = m, m.Digest, bytes.Clone(meta.owner)
	i.data = make([]byte, page.Size)
	i.receiver, err = i.owner.Receive(i.meta, m.Digest)
	return err
}

func (i *install) takePage(b []byte) error {
	ref, id := i.manifest.pages[i.next], i.manifest.id(i.next)
	clear(i.data[copy(i.data, b):])
	if page.Checksum(id, i.data) != ref.checksum {
		return i.bad(fmt.Errorf("page %d of table %d: %w", id.Number, id.Table, errHash))
	}
	p := page.Page{ID: id, Index: ref.index, Data: i.data}
	if err := i.receiver.Page(p); err != nil {
		return err
	}
	if i.writer.has(id, ref) {
		p.Data = nil
	}
	i.next++
	return i.writer.Page(p)
}

func (i *install) writeTail(p []byte) error {
	if uint64(len(p)) > i.tail {
		return i.bad(errors.New("something follows its end"))
	}
	i.tail -= uint64(len(p))
	_, err := i.receiver.Write(p)
	return err
}

// finish verifies that everything has arrived, and makes all of it durable but the manifest.
func (i *install) finish() error {
	if i.part != partTail || i.tail > 0 {
		return i.bad(errShort)
	}
	if err := i.receiver.Commit(); err != nil {
		return err
	}
	return i.writer.Prepare()
}

// abort drops everything, the writer too.
func (i *install) abort() error {
	err := i.writer.Abort()
	if i.receiver == nil {
		return err
	}
	return errors.Join(err, i.receiver.Abort())
}

func (i *install) bad(reason error) error {
	want := i.writer.manifest
	return fmt.Errorf("snapshots: what arrived for index %d, term %d is no good snapshot: %w", want.Index, want.Term, reason)
}
