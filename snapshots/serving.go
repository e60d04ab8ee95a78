package snapshots

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/fsm/page"
)

// maxIdleServed is how many snapshots are kept open that nobody reads at the moment. There is one in the usual case, and a
// second when a newer one was taken during a transfer.
const maxIdleServed = 2

// serving keeps snapshots open from which pages are served to other members: one that is being pulled must not change
// between two calls, though this member takes newer ones. What nobody has asked for in a while is closed.
type serving struct {
	store  *Store
	idle   time.Duration
	logger hclog.Logger

	mu     sync.Mutex
	open   map[snapshotKey]*served
	closed bool
}

type snapshotKey struct{ index, term uint64 }

// served is one of them.
type served struct {
	*Snapshot
	from  *serving
	users int
	since time.Time   // nobody reads it
	timer *time.Timer // closes it; nil while somebody does

	encodeOnce sync.Once
	manifest   []byte
}

// encoded is the manifest, once for all who send it.
func (o *served) encoded() []byte {
	o.encodeOnce.Do(func() { o.manifest = o.encode() })
	return o.manifest
}

// acquire opens the snapshot with this index and term where it is still there, or the newest; nil: there is none. release
// must follow.
func (v *serving) acquire(index, term uint64) (*served, error) {
	v.mu.Lock()
	o := v.open[snapshotKey{index, term}]
	if o != nil {
		o.use()
	}
	v.mu.Unlock()
	if o != nil {
		return o, nil
	}
	sn, err := v.store.Newest()
	if err != nil || sn == nil {
		return nil, err
	}
	return v.adopt(sn)
}

// adopt takes over an open snapshot. release must follow.
func (v *serving) adopt(sn *Snapshot) (*served, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil, errors.Join(errClosed, sn.Close())
	}
	key := snapshotKey{sn.Index, sn.Term}
	if o := v.open[key]; o != nil {
		o.use()
		return o, sn.Close()
	}
	o := &served{Snapshot: sn, from: v}
	v.open[key] = o
	o.use()
	return o, nil
}

// use counts a reader. The caller holds from.mu.
func (o *served) use() {
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
	}
	o.users++
}

// release gives it up. It stays open for a while. Nothing happens to nil.
func (o *served) release() {
	if o == nil {
		return
	}
	v := o.from
	v.mu.Lock()
	defer v.mu.Unlock()
	o.users--
	if o.users > 0 {
		return
	}
	o.since = time.Now()
	o.timer = time.AfterFunc(v.idle, o.expire)
	v.bound()
	if v.closed {
		v.drop(o)
	}
}

// expire closes it unless somebody came back.
func (o *served) expire() {
	v := o.from
	v.mu.Lock()
	defer v.mu.Unlock()
	if o.users == 0 && o.timer != nil {
		v.drop(o)
	}
}

// bound closes the longest idle one where there are too many. The caller holds mu.
func (v *serving) bound() {
	idle, oldest := 0, (*served)(nil)
	for _, o := range v.open {
		if o.users > 0 {
			continue
		}
		idle++
		if oldest == nil || o.since.Before(oldest.since) {
			oldest = o
		}
	}
	if idle > maxIdleServed {
		v.drop(oldest)
	}
}

// drop closes one that nobody reads. The caller holds mu.
func (v *serving) drop(o *served) {
	key := snapshotKey{o.Index, o.Term}
	if v.open[key] != o {
		return
	}
	delete(v.open, key)
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
	}
	if err := o.Snapshot.Close(); err != nil {
		v.logger.Warn("packs of an older snapshot could not be removed; the next start removes them", "error", err)
	}
}

// close closes all that nobody reads; the others close with their last reader.
func (v *serving) close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	for _, o := range v.open {
		if o.users == 0 {
			v.drop(o)
		}
	}
	return nil
}

// Manifest is the newest snapshot's, encoded: what its Opened reads as. nil: there is none. Its pages are kept to be pulled
// for a while.
func (s *RaftStore) Manifest() ([]byte, error) {
	o, err := s.serving.acquire(0, 0)
	if err != nil || o == nil {
		return nil, err
	}
	defer o.release()
	return o.encoded(), nil
}

// ServePages answers wants: a batch of what Stage asks for, about the snapshot with this index and term. Pages come from
// that snapshot while it is still open here, or from the newest where they are the same. What is not here is said to be missing; so
// is what is damaged on the disk. Each call of send gets whole items, which it must not keep.
func (s *RaftStore) ServePages(ctx context.Context, index, term uint64, wants []byte, send func(items []byte) error) error {
	asked, err := decodeWants(wants)
	if err != nil {
		return err
	}
	from, err := s.serving.acquire(index, term)
	if err != nil {
		return err
	}
	defer from.release()
	var out chunk
	buf := make([]byte, page.Size)
	for place, w := range asked {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if out.empty() {
			out.begin(place)
		}
		s.answer(&out, from, w, buf)
		if len(out.b) >= chunkBytes || place == len(asked)-1 {
			if err := send(out.b); err != nil {
				return err
			}
			out.b = nil // gRPC may look at it after send
		}
	}
	return nil
}

// answer adds the item for one want.
func (s *RaftStore) answer(out *chunk, from *served, w want, buf []byte) {
	if from == nil {
		out.missing()
		return
	}
	at, ok := from.find(w.id)
	if !ok || from.pages[at].index != w.index {
		out.missing()
		return
	}
	ref := from.pages[at]
	if err := from.openPacks[ref.pack].read(w.id, ref, buf); err != nil {
		s.damaged(err)
		out.missing()
		return
	}
	out.page(buf, from.recordSize(w.id.Table), w.held)
}

// damaged reports what was found on this member's disk. Nothing of it is served.
func (s *RaftStore) damaged(err error) {
	s.Logger.Error("a page of the newest snapshot is damaged on this disk; it is not used, and the next snapshot writes it anew", "error", err)
	var d *DamagedError
	if s.Damaged != nil && errors.As(err, &d) {
		s.Damaged(d)
	}
}
