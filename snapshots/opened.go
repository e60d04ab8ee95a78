package snapshots

import (
	"bytes"
	"sync"

	"github.com/ballastdb/ballast/fsm/page"
)

// Opened is a snapshot opened for raft: Walk gives its pages, Meta the owner's; it reads as its manifest, which is what another
// member gets to begin with. While it is open, and some time after, its pages are served to others.
type Opened struct {
	*served
	meta   []byte
	reader *bytes.Reader // nil until something is read: one that waits for its turn costs nothing
	closed sync.Once
}

// Meta is the owner's.
func (o *Opened) Meta() []byte { return o.meta }

// Read implements io.Reader.
func (o *Opened) Read(b []byte) (int, error) {
	if o.reader == nil {
		o.reader = bytes.NewReader(o.encoded())
	}
	return o.reader.Read(b)
}

// Walk reads and checks every page in order: see Snapshot.Walk.
func (o *Opened) Walk(yield func(page.Page) error) error { return o.served.Walk(yield) }

// Close implements io.Closer.
func (o *Opened) Close() error {
	o.closed.Do(o.release)
	return nil
}

// opened makes an Opened of a snapshot, which it then owns, also where it fails.
func (s *RaftStore) opened(sn *Snapshot, meta []byte) (*Opened, error) {
	v, err := s.serving.adopt(sn)
	if err != nil {
		return nil, err
	}
	return &Opened{served: v, meta: meta}, nil
}
