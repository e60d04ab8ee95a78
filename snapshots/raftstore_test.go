package snapshots

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
)

// fakeOwner keeps a state in memory, as the state machine does.
type fakeOwner struct {
	present, next      map[page.ID]page.Page
	room               map[page.ID]bool
	shared             int
	meta               string
	committed, aborted int
	refuse             error // answer of Commit
}

func (o *fakeOwner) Receive(meta []byte, _ page.Digest) (Receiver, error) {
	o.meta, o.next, o.room, o.shared = string(meta), map[page.ID]page.Page{}, map[page.ID]bool{}, 0
	return o, nil
}

func (o *fakeOwner) Reserve(table uint8, _ int, first, count uint64) error {
	for n := range count {
		o.room[page.ID{Table: table, Number: first + n}] = true
	}
	return nil
}

func (o *fakeOwner) Held(id page.ID, buf []byte) uint64 {
	p, ok := o.present[id]
	if !ok {
		return 0
	}
	copy(buf, p.Data)
	return p.Index
}

func (o *fakeOwner) Share(id page.ID, index, checksum uint64, buf []byte) (shared, damaged bool, err error) {
	p, ok := o.present[id]
	if !ok || p.Index != index {
		return false, false, nil
	}
	if page.Checksum(id, p.Data) != checksum {
		return false, true, nil
	}
	copy(buf, p.Data)
	o.shared++
	return true, false, o.Page(p)
}

func (o *fakeOwner) Page(p page.Page) error {
	if !o.room[p.ID] {
		return fmt.Errorf("page %v is not expected, or comes twice", p.ID)
	}
	delete(o.room, p.ID)
	p.Data = bytes.Clone(p.Data)
	o.next[p.ID] = p
	return nil
}

func (o *fakeOwner) Abort() error { o.aborted++; return nil }

func (o *fakeOwner) Commit(alive func() error) error {
	if err := alive(); err != nil {
		return err
	}
	if len(o.room) > 0 {
		return fmt.Errorf("%d pages are missing", len(o.room))
	}
	if o.refuse == nil {
		o.committed++
	}
	return o.refuse
}

// member is a RaftStore on a disk of its own.
type member struct {
	*RaftStore
	disk  *vfs.Mem
	owner *fakeOwner
	fatal []error
}

func newMember(t testing.TB) *member {
	t.Helper()
	return memberOn(t, newDisk(t))
}

func memberOn(t testing.TB, disk *vfs.Mem) *member {
	t.Helper()
	m := &member{disk: disk, owner: &fakeOwner{}}
	store, err := Open(m.disk, dir)
	check(t, err)
	m.RaftStore = NewRaftStore(RaftConfig{
		Store: store, Owner: m.owner, PullPause: time.Microsecond, ServeIdle: time.Hour,
		Fatal: func(err error) { m.fatal = append(m.fatal, err) },
	})
	t.Cleanup(func() { _ = m.Close() }) // its timers
	m.load(t)
	return m
}

// load does what a restore does: it takes the newest snapshot into memory.
func (m *member) load(t testing.TB) {
	t.Helper()
	sn, err := m.Store.Newest()
	check(t, err)
	m.owner.present = map[page.ID]page.Page{}
	if sn == nil {
		return
	}
	check(t, sn.Walk(func(p page.Page) error {
		p.Data = bytes.Clone(p.Data)
		m.owner.present[p.ID] = p
		return nil
	}))
	check(t, sn.Close())
}

// set puts a state into memory that no snapshot was taken of.
func (m *member) set(st state) {
	m.owner.present = map[page.ID]page.Page{}
	_ = st.each(func(p page.Page) error {
		p.Data = content(p.ID, p.Index)
		m.owner.present[p.ID] = p
		return nil
	})
}

var members = raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "127.0.0.1:1"}, {ID: "b", Address: "127.0.0.1:2", Suffrage: raft.Nonvoter}}}

func (m *member) create(index uint64) (raft.SnapshotSink, error) {
	return m.Create(raft.SnapshotVersionMax, index, 1, members, min(index, 2), nil)
}

// persist does what is done at a mark, when raft has applied one entry more.
func (m *member) persist(st state) error {
	p, err := m.prepare(st)
	if err != nil {
		return err
	}
	sink, err := m.create(st.index + 1)
	if err != nil {
		return errors.Join(err, p.Drop())
	}
	if err := sink.(*Sink).Publish(st.index, 1); err != nil {
		return errors.Join(err, p.Drop())
	}
	return errors.Join(sink.Close(), p.Drop())
}

func (m *member) prepare(st state) (*Prepared, error) {
	p, err := m.Prepare(st.index, 1, nil)
	if err != nil {
		return nil, err
	}
	err = feed(p, st)
	m.set(st)
	if err == nil {
		err = p.Seal()
	}
	if err != nil {
		return nil, errors.Join(err, p.Drop())
	}
	return p, nil
}

// feed gives the pages of a state.
func feed(p *Prepared, st state) error {
	err := st.each(func(q page.Page) error {
		if p.Changed(q.ID, q.Index) {
			q.Data = content(q.ID, q.Index)
		}
		return p.Page(q)
	})
	if err != nil {
		return err
	}
	return p.Finish(page.Digest{st.index, 7}, fmt.Appendf(nil, "meta of %d", st.index))
}

// stream is the newest snapshot as it is sent.
func (m *member) stream(t testing.TB) []byte {
	t.Helper()
	list, err := m.List()
	check(t, err)
	meta, r, err := m.Open(list[0].ID)
	check(t, err)
	b, err := io.ReadAll(r)
	check(t, errors.Join(err, r.Close()))
	if int64(len(b)) != meta.Size || meta.Size != list[0].Size {
		t.Fatalf("%d bytes, said to be %d and %d", len(b), meta.Size, list[0].Size)
	}
	return b
}

// peers is a Puller without a network: members by name, the first of them leads.
type peers struct {
	names   []raft.ServerID
	members map[raft.ServerID]*member
	// disturb is called for each chunk of items, and may change it, or end the pull; nil: nothing does.
	disturb func(from raft.ServerID, items []byte) ([]byte, error)
	asked   map[raft.ServerID]int // wants
	sent    map[raft.ServerID]int // bytes of items
	wants   int                   // bytes
}

// of makes one whose members are called a, b, c, in order.
func of(members ...*member) *peers {
	p := &peers{members: map[raft.ServerID]*member{}, asked: map[raft.ServerID]int{}, sent: map[raft.ServerID]int{}}
	for i, m := range members {
		id := raft.ServerID(rune('a' + i))
		p.names, p.members[id] = append(p.names, id), m
	}
	return p
}

func (p *peers) Sources() (sources []Source) {
	for i := range p.names {
		at := (i + 1) % len(p.names)
		sources = append(sources, Source{ID: p.names[at], Leader: at == 0})
	}
	return sources
}

func (p *peers) Pull(ctx context.Context, s Source, index, term uint64, wants []byte, got func([]byte) error) error {
	if asked, err := decodeWants(wants); err == nil {
		p.asked[s.ID] += len(asked)
	}
	p.wants += len(wants)
	return p.members[s.ID].ServePages(ctx, index, term, wants, func(items []byte) (err error) {
		items = bytes.Clone(items)
		p.sent[s.ID] += len(items)
		if p.disturb != nil {
			if items, err = p.disturb(s.ID, items); err != nil {
				return err
			}
		}
		return got(items)
	})
}

// stage does what the transport does with an offer.
func (m *member) stage(index uint64, manifest io.Reader, from Puller) ([]byte, error) {
	request := &raft.InstallSnapshotRequest{LastLogIndex: index, LastLogTerm: 1, ConfigurationIndex: min(index, 2)}
	return m.Stage(context.Background(), request, manifest, from, func(Progress) {})
}

// hand does what raft does with a token.
func (m *member) hand(index uint64, token []byte) error {
	sink, err := m.create(index)
	if err != nil {
		return err
	}
	if _, err := sink.Write(token); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	if err := sink.Close(); err != nil {
		return err
	}
	m.owner.present = m.owner.next
	return nil
}

// install stages a snapshot and installs it.
func (m *member) install(index uint64, manifest []byte, from Puller) error {
	token, err := m.stage(index, bytes.NewReader(manifest), from)
	if err != nil {
		return err
	}
	return m.hand(index, token)
}

func (m *member) holds(t testing.TB, want state) {
	t.Helper()
	list, err := m.List()
	check(t, err)
	if len(list) != 1 || list[0].Index != want.index || list[0].Term != 1 || list[0].ConfigurationIndex != min(want.index, 2) ||
		fmt.Sprint(list[0].Configuration) != fmt.Sprint(members) {
		t.Fatalf("listed are %+v, want index %d", list, want.index)
	}
	_, r, err := m.Open(list[0].ID)
	check(t, err)
	o := r.(*Opened)
	sn := *o.Snapshot
	manifest := *sn.Manifest
	manifest.Meta = o.Meta()
	sn.Manifest = &manifest
	check(t, errors.Join(holds(&sn, want), r.Close()))
}

func (m *member) packBytes(t testing.TB) (n int) {
	t.Helper()
	names, err := m.disk.ReadDir(dir)
	check(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, packSuffix) {
			n += len(m.disk.Bytes(path.Join(dir, name)))
		}
	}
	return n
}

var (
	older = state{index: 5, tables: [2][]uint64{{1, 2, 3, 4, 5}, {5, 5}}}
	newer = state{index: 9, tables: [2][]uint64{{1, 2, 9, 4, 5, 9}, {5, 5, 9}}}
)

// TestInstall: another member takes a snapshot in, on an empty disk, or over an older snapshot: then only pages that differ
// are pulled and written.
func TestInstall(t *testing.T) {
	a := newMember(t)
	check(t, a.persist(older))
	check(t, a.persist(newer))
	a.holds(t, newer)
	stream := a.stream(t)

	b := newMember(t)
	check(t, b.install(9, stream, of(a)))
	b.holds(t, newer)

	b = newMember(t)
	check(t, b.persist(older))
	before := b.packBytes(t)
	from := of(a)
	check(t, b.install(9, stream, from))
	b.holds(t, newer)
	if len(b.owner.present) != 9 || b.owner.shared != 6 || b.owner.committed != 1 || b.owner.aborted != 0 {
		t.Fatalf("the owner got %d pages, %d of them its own, %d times committed, %d aborted", len(b.owner.present), b.owner.shared, b.owner.committed, b.owner.aborted)
	}
	if wrote := b.packBytes(t) - before; wrote > packHeader+3*page.Size || from.asked["a"] != 3 {
		t.Fatalf("%d bytes of packs written for three pages, %d asked for", wrote, from.asked["a"])
	}
	b = memberOn(t, b.disk.Crash(1))
	b.holds(t, newer)
}

// TestDamagedManifests: whatever is wrong with what is offered, the snapshot before stays, and a good one goes through.
func TestDamagedManifests(t *testing.T) {
	a := newMember(t)
	check(t, a.persist(newer))
	stream := a.stream(t)
	b := newMember(t)
	check(t, b.persist(older))
	refused := func(what string, bad []byte) {
		t.Helper()
		if err := b.install(9, bad, of(a)); err == nil {
			t.Fatalf("%s: installed", what)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for at := range stream {
		bad := bytes.Clone(stream)
		bad[at] ^= 1 << rng.IntN(8)
		refused(fmt.Sprintf("byte %d changed", at), bad)
	}
	for range 60 {
		at := rng.IntN(len(stream))
		refused(fmt.Sprintf("cut at %d", at), stream[:at])
	}
	refused("nothing", nil)
	refused("a tail", append(bytes.Clone(stream), 0))
	if err := b.install(8, stream, of(a)); err == nil {
		t.Fatal("installed under another index")
	}
	b.owner.refuse = errors.New("the digest is another")
	refused("refused by its owner", stream)
	b.owner.refuse = nil
	b.holds(t, older)
	check(t, b.install(9, stream, of(a)))
	b.holds(t, newer)
}

// TestStaged: what is staged is not seen until raft hands its token over; a refusal keeps it, the same offered again is not
// read, and an own snapshot may be taken meanwhile, though it no longer needs the packs that the staged one builds on.
func TestStaged(t *testing.T) {
	a := newMember(t)
	check(t, a.persist(newer))
	stream := a.stream(t)
	unread := iotest.ErrReader(errors.New("read again"))
	b := newMember(t)
	check(t, b.persist(older))
	token, err := b.stage(9, bytes.NewReader(stream), of(a))
	check(t, err)
	b.holds(t, older)
	own := state{index: 7, tables: [2][]uint64{{7, 7, 7, 7, 7}, {7, 7}}}
	check(t, b.persist(own))
	b.holds(t, own)
	for what, wrong := range map[string][]byte{
		"the stream": stream, "another token": newToken(), "half": token[:tokenBytes/2], "more": append(bytes.Clone(token), 0), "nothing": {},
	} {
		if err := b.hand(9, wrong); err == nil {
			t.Fatalf("%s is taken for a token", what)
		}
	}
	if err := b.hand(10, token); err == nil {
		t.Fatal("installed under another index")
	}
	busy := errors.New("not now")
	b.Admit = func(uint64, uint64) error { return busy }
	if err := b.hand(9, token); !errors.Is(err, busy) {
		t.Fatalf("installed though not admitted: %v", err)
	}
	b.Admit = nil
	again, err := b.stage(9, unread, of(a))
	check(t, err)
	if !bytes.Equal(again, token) || b.owner.aborted != 0 {
		t.Fatal("staged again")
	}
	check(t, b.hand(9, token))
	b.holds(t, newer)
	if err := b.hand(9, token); err == nil {
		t.Fatal("a token is taken twice")
	}
	b = memberOn(t, b.disk.Crash(1))
	b.holds(t, newer)
}

// TestStagedIsDropped: for a newer one, for a snapshot of the member's own, and in the end. What was pulled for it stays in
// the staging area, over a restart too, and is not pulled again.
func TestStagedIsDropped(t *testing.T) {
	a := newMember(t)
	check(t, a.persist(newer))
	stream, first := a.stream(t), of(a)
	b := newMember(t)
	check(t, b.persist(older))
	old, err := b.stage(9, bytes.NewReader(stream), first)
	check(t, err)
	newest := state{index: 12, tables: [2][]uint64{{12, 2, 9, 4, 5, 9}, {5, 5, 12}}}
	check(t, a.persist(newest))
	from := of(a)
	token, err := b.stage(12, bytes.NewReader(a.stream(t)), from)
	check(t, err)
	if err := b.hand(9, old); err == nil || b.owner.aborted != 1 {
		t.Fatalf("the older one is still staged: %v", err)
	}
	if first.asked["a"] != 3 || from.asked["a"] != 2 {
		t.Fatalf("%d pages were asked for, then %d; want 3 and 2 that have changed since", first.asked["a"], from.asked["a"])
	}
	for name, disk := range map[string]*vfs.Mem{"a crash": b.disk.Crash(1), "a kill": b.disk.Clone()} {
		c := memberOn(t, disk)
		c.holds(t, older)
		from = of(a)
		check(t, c.install(12, a.stream(t), from))
		c.holds(t, newest)
		if from.asked["a"] != 0 {
			t.Errorf("after %s %d pages were asked for again", name, from.asked["a"])
		}
		names, err := c.disk.ReadDir(dir)
		check(t, err)
		if len(names) > 3 {
			t.Errorf("left behind: %q", names)
		}
	}
	b.holds(t, older)
	check(t, b.Close())
	if err := b.hand(12, token); err == nil {
		t.Fatal("installed behind Close")
	}
	if _, err := b.stage(12, bytes.NewReader(stream), of(a)); err == nil {
		t.Fatal("staged behind Close")
	}

	c := newMember(t)
	_, err = c.stage(12, bytes.NewReader(a.stream(t)), of(a))
	check(t, err)
	check(t, c.persist(state{index: 12, tables: newest.tables}))
	if c.staged != nil || c.owner.aborted != 1 {
		t.Fatal("what a snapshot of the member's own has overtaken is still staged")
	}
}

// TestUselessAreaGoes: a member that caught up from the log, and has a snapshot of its own, has no use for what it pulled for
// an older one; it may never stage again. What is newer than its own snapshot stays.
func TestUselessAreaGoes(t *testing.T) {
	a := newMember(t)
	check(t, a.persist(newer))
	staged := func(m *member) (n int) {
		names, err := m.disk.ReadDir(dir)
		check(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, areaSuffix) {
				n++
			}
		}
		return n
	}
	b := newMember(t)
	check(t, b.persist(older))
	broken := of(a)
	broken.disturb = func(raft.ServerID, []byte) ([]byte, error) { return nil, errors.New("broken") }
	if err := b.install(9, a.stream(t), broken); err == nil {
		t.Fatal("installed without pages")
	}
	_, err := b.stage(9, bytes.NewReader(a.stream(t)), of(a))
	check(t, err)
	check(t, b.persist(state{index: 7, tables: [2][]uint64{{7, 7, 7, 7, 7}, {7, 7}}}))
	if staged(b) != 1 {
		t.Error("what is newer than the member's own snapshot is gone")
	}
	c := memberOn(t, b.disk.Clone()) // killed
	for what, m := range map[string]*member{"in this run": b, "in an earlier run": c} {
		check(t, m.persist(state{index: 12, tables: [2][]uint64{{12, 2, 9, 4, 5, 9}, {5, 5, 12}}}))
		if names, err := m.disk.ReadDir(dir); err != nil || len(names) > 3 || staged(m) != 0 {
			t.Errorf("what was staged %s is still there: %q, %v", what, names, err)
		}
		check(t, m.install(20, func() []byte { // and staging goes on working
			check(t, a.persist(state{index: 20, tables: [2][]uint64{{20, 2, 9, 4, 5, 9}, {5, 5, 12}}}))
			return a.stream(t)
		}(), of(a)))
	}
}

// TestWhatIsHereIsNotStaged: nor read.
func TestWhatIsHereIsNotStaged(t *testing.T) {
	m := newMember(t)
	read := errors.New("read")
	if _, err := m.stage(9, iotest.ErrReader(read), of()); !errors.Is(err, read) {
		t.Errorf("not read: %v", err)
	}
	check(t, m.persist(newer))
	if _, err := m.stage(9, iotest.ErrReader(read), of()); err == nil || errors.Is(err, read) {
		t.Errorf("staged what is here already: %v", err)
	}
}

// TestCreateRefuses what must not become the newest snapshot.
func TestCreateRefuses(t *testing.T) {
	a := newMember(t)
	if list, err := a.List(); err != nil || len(list) != 0 {
		t.Fatalf("an empty directory lists %v, %v", list, err)
	}
	check(t, a.persist(newer))
	stream := a.stream(t)
	if _, err := a.create(8); err == nil {
		t.Error("an older snapshot is taken")
	}
	if _, err := a.Create(raft.SnapshotVersionMax, 9, 2, members, 2, nil); err == nil {
		t.Error("the same index of another term is taken")
	}
	if _, err := a.Create(raft.SnapshotVersionMax, 10, 2, members, 11, nil); err == nil {
		t.Error("a configuration past the snapshot is taken")
	}
	if err := a.install(9, stream, of(a)); err == nil {
		t.Error("installed what is here already")
	}
	b := newMember(t)
	busy := errors.New("not now")
	b.Admit = func(index, term uint64) error {
		if index != 9 || term != 1 {
			t.Errorf("asked for index %d, term %d", index, term)
		}
		return busy
	}
	if err := b.install(9, stream, of(a)); !errors.Is(err, busy) {
		t.Errorf("installed though not admitted: %v", err)
	}
	check(t, b.persist(older)) // nobody is asked for one's own
	if _, _, err := b.Open("0000000000000004-0000000000000001"); err == nil {
		t.Error("a snapshot that is not there is opened")
	}
	b.holds(t, older)
}

// TestIdleMemberWritesNothing: raft asks a member that got a snapshot and nothing since for one at every interval. The
// same again is taken, and the disk is not touched.
func TestIdleMemberWritesNothing(t *testing.T) {
	m := newMember(t)
	check(t, m.persist(newer))
	m.disk.Inject(func(op vfs.Op) vfs.Fault {
		t.Errorf("%s of %s", op.Kind, op.Path)
		return vfs.None
	})
	for range 3 {
		check(t, m.persist(newer))
	}
	m.disk.Inject(nil)
	m.holds(t, newer)
}

// TestNothingOlderIsServed: a crash may leave the manifest before beside the newest. If the newest is damaged, the log
// behind the other is gone: it must not be served.
func TestNothingOlderIsServed(t *testing.T) {
	disk := newDisk(t)
	m := memberOn(t, disk)
	check(t, m.persist(older))
	disk.Inject(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpRemove {
			return vfs.Fail
		}
		return vfs.None
	})
	check(t, m.persist(newer)) // what could not be removed is no failure
	disk.Inject(nil)
	check(t, m.Store.Close())
	name := path.Join(dir, snapshotIDOf(newer)+manifestSuffix)
	for _, at := range []int{0, 30, 100} {
		bad := disk.Clone()
		bad.Bytes(name)[at] ^= 1
		var damage *DamagedError
		if _, err := Open(bad, dir); !errors.As(err, &damage) || damage.File != name {
			t.Fatalf("byte %d of the newest manifest changed: %v, want that it is damaged", at, err)
		}
	}
	m = memberOn(t, disk.Clone())
	m.holds(t, newer)
}

func snapshotIDOf(st state) string { return snapshotID(st.index, 1) }

// TestUnknownCommitIsFatal: after a failed rename, or fsync of the directory, only a start can tell what is there. What
// the owner made durable for it must still be there then.
func TestUnknownCommitIsFatal(t *testing.T) {
	a := newMember(t)
	check(t, a.persist(newer))
	stream := a.stream(t)
	for _, fault := range []vfs.Fault{vfs.Fail, vfs.FailPersisted} {
		for _, kind := range []vfs.Kind{vfs.OpRename, vfs.OpSyncDir} {
			b := newMember(t)
			check(t, b.persist(older))
			armed := false
			b.disk.Inject(func(op vfs.Op) vfs.Fault {
				armed = armed || strings.HasSuffix(op.Path, manifestSuffix+vfs.TempSuffix)
				if armed && op.Kind == kind {
					return fault
				}
				return vfs.None
			})
			err := b.install(9, stream, of(a))
			if err == nil || len(b.fatal) != 1 || b.owner.committed != 1 || b.owner.aborted != 0 {
				t.Fatalf("fault %d of %s: %v, fatal %v, owner committed %d times, aborted %d", fault, kind, err, b.fatal, b.owner.committed, b.owner.aborted)
			}
		}
	}
}

// TestFailedCommitKeepsNothing: where the manifest certainly was not written, as on a full disk, the packs that only the snapshot
// before needs still go when the next one is taken.
func TestFailedCommitKeepsNothing(t *testing.T) {
	a := newMember(t)
	check(t, a.persist(newer))
	stream := a.stream(t)
	b := newMember(t)
	check(t, b.persist(older))
	b.disk.Inject(func(op vfs.Op) vfs.Fault {
		if strings.HasSuffix(op.Path, manifestSuffix+vfs.TempSuffix) && op.Kind == vfs.OpSync {
			return vfs.Fail
		}
		return vfs.None
	})
	if err := b.install(9, stream, of(a)); err == nil || len(b.fatal) > 0 {
		t.Fatalf("installed: %v, fatal %v", err, b.fatal)
	}
	b.disk.Inject(nil)
	b.Store.mu.Lock()
	defer b.Store.mu.Unlock()
	if len(b.Store.readers) > 0 {
		t.Errorf("packs are kept for readers that are not there: %v", b.Store.readers)
	}
}

// FuzzInstall changes a manifest, sets its hash right, and installs it: it must be refused, or be a snapshot that verifies.
func FuzzInstall(f *testing.F) {
	a := newMember(f)
	check(f, a.persist(newer))
	base := a.stream(f)
	f.Add([]byte{1, 2, 3, 4})
	f.Add(base[:200])
	f.Fuzz(func(t *testing.T, edits []byte) {
		bad := bytes.Clone(base)
		for e := edits; len(e) >= 3; e = e[3:] {
			bad[(int(e[0])|int(e[1])<<8)%len(bad)] ^= e[2]
		}
		bad = seal(bad[: len(bad)-hashBytes : len(bad)-hashBytes])
		for _, manifest := range [][]byte{edits, bad} {
			b := newMember(t)
			if err := b.install(9, manifest, of(a)); err != nil {
				continue
			}
			sn, err := b.Store.Newest()
			check(t, err)
			check(t, errors.Join(sn.Verify(), sn.Close()))
		}
	})
}
