package snapshots

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
)

// fakeOwner has a tail that its meta determines, and remembers what it received.
type fakeOwner struct {
	pages              int
	tail               bytes.Buffer
	meta               string
	committed, aborted int
	refuse             error // answer of Commit
}

func tailOf(meta []byte) []byte { return bytes.Repeat(meta, 1000) }

func (o *fakeOwner) TailLength(meta []byte) (uint64, error) { return uint64(len(tailOf(meta))), nil }

func (o *fakeOwner) OpenTail(meta []byte) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(tailOf(meta))), nil
}

func (o *fakeOwner) Receive(meta []byte, _ page.Digest) (Receiver, error) {
	o.meta, o.pages = string(meta), 0
	o.tail.Reset()
	return o, nil
}

func (o *fakeOwner) Page(page.Page) error { o.pages++; return nil }

func (o *fakeOwner) Write(b []byte) (int, error) { return o.tail.Write(b) }

func (o *fakeOwner) Abort() error { o.aborted++; return nil }

func (o *fakeOwner) Commit() error {
	if !bytes.Equal(o.tail.Bytes(), tailOf([]byte(o.meta))) {
		return errors.New("the tail is another")
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
	m.RaftStore = NewRaftStore(RaftConfig{Store: store, Owner: m.owner, Fatal: func(err error) { m.fatal = append(m.fatal, err) }})
	return m
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
	for t, pages := range st.tables {
		for n, index := range pages {
			q := page.Page{ID: page.ID{Table: uint8(t + 1), Number: uint64(n)}, Index: index}
			if p.Changed(q.ID, index) {
				q.Data = content(q.ID, index)
			}
			if err := p.Page(q); err != nil {
				return err
			}
		}
	}
	return p.Finish(page.Digest{st.index, 7}, fmt.Appendf(nil, "meta of %d", st.index))
}

// stream is the newest snapshot as bytes.
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

// pieces reads as a stream cut into random pieces.
type pieces struct {
	stream []byte
	rng    *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.stream) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:1+p.rng.IntN(len(b))], p.stream)
	p.stream = p.stream[n:]
	return n, nil
}

// stage does what the transport does with a stream.
func (m *member) stage(index uint64, data io.Reader) ([]byte, error) {
	return m.Stage(context.Background(), &raft.InstallSnapshotRequest{LastLogIndex: index, LastLogTerm: 1, ConfigurationIndex: min(index, 2)}, data)
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
	return sink.Close()
}

// install stages a stream, cut into random pieces, and installs it.
func (m *member) install(index uint64, stream []byte, rng *rand.Rand) error {
	token, err := m.stage(index, &pieces{stream, rng})
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
	sn := *o.snapshot
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

// TestInstall: a snapshot reads as a stream that another member takes in, on an empty disk, or over an older snapshot:
// then only pages that differ are written.
func TestInstall(t *testing.T) {
	a := newMember(t)
	check(t, a.persist(older))
	check(t, a.persist(newer))
	a.holds(t, newer)
	stream := a.stream(t)
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		b := newMember(t)
		check(t, b.install(9, stream, rng))
		b.holds(t, newer)

		b = newMember(t)
		check(t, b.persist(older))
		before := b.packBytes(t)
		check(t, b.install(9, stream, rng))
		b.holds(t, newer)
		if b.owner.pages != 9 || b.owner.committed != 1 || b.owner.aborted != 0 {
			t.Fatalf("the owner got %d pages, %d times committed, %d aborted", b.owner.pages, b.owner.committed, b.owner.aborted)
		}
		if wrote := b.packBytes(t) - before; wrote > packHeader+3*page.Size {
			t.Fatalf("%d bytes of packs written for three pages", wrote)
		}
		if again := b.stream(t); !bytes.Equal(tail(again), tail(stream)) {
			t.Fatal("it reads as another stream")
		}
	}
}

// tail is a stream without its manifest, which names packs.
func tail(stream []byte) []byte {
	return stream[streamHead+binary.LittleEndian.Uint64(stream[16:]):]
}

// TestDamagedStreams: whatever is wrong with a stream, the snapshot before stays, nothing is left behind, and a good one
// goes through.
func TestDamagedStreams(t *testing.T) {
	a := newMember(t)
	check(t, a.persist(newer))
	stream := a.stream(t)
	b := newMember(t)
	check(t, b.persist(older))
	before, err := b.disk.ReadDir(dir)
	check(t, err)
	rng := rand.New(rand.NewPCG(1, 1))
	refused := func(what string, bad []byte) {
		t.Helper()
		b.owner.committed = 0
		if err := b.install(9, bad, rng); err == nil {
			t.Fatalf("%s: installed", what)
		}
		if after, err := b.disk.ReadDir(dir); err != nil || !slices.Equal(after, before) {
			t.Fatalf("%s: left behind: %q, %v", what, after, err)
		}
	}
	manifestEnd := len(stream) - len(tail(stream))
	places := rng.Perm(len(stream))[:100]
	for at := range manifestEnd {
		if at < 150 || at%11 == 0 {
			places = append(places, at)
		}
	}
	for _, at := range places {
		bad := bytes.Clone(stream)
		bad[at] ^= 1 << rng.IntN(8)
		refused(fmt.Sprintf("byte %d changed", at), bad)
	}
	for range 60 {
		at := rng.IntN(len(stream))
		refused(fmt.Sprintf("cut at %d", at), stream[:at])
	}
	refused("cut at the manifest's end", stream[:manifestEnd])
	refused("nothing", nil)
	refused("a tail", append(bytes.Clone(stream), 0))
	if err := b.install(8, stream, rng); err == nil {
		t.Fatal("installed under another index")
	}
	b.owner.refuse = errors.New("the digest is another")
	refused("refused by its owner", stream)
	b.owner.refuse = nil
	b.holds(t, older)
	check(t, b.install(9, stream, rng))
	b.holds(t, newer)
}

// TestStaged: what is staged is not seen until raft hands its token over; a refusal keeps it, the same offered again is not
// read, and an own snapshot may be taken meanwhile, though it no longer needs the packs that the staged one builds on.
func TestStaged(t *testing.T) {
	a := newMember(t)
	check(t, a.persist(newer))
	stream := a.stream(t)
	rng := rand.New(rand.NewPCG(1, 1))
	unread := iotest.ErrReader(errors.New("read again"))
	b := newMember(t)
	check(t, b.persist(older))
	token, err := b.stage(9, &pieces{stream, rng})
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
	again, err := b.stage(9, unread)
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

// TestStagedIsDropped: for a newer one, and in the end. Nothing of it stays on the disk.
func TestStagedIsDropped(t *testing.T) {
	a := newMember(t)
	check(t, a.persist(newer))
	stream := a.stream(t)
	newest := state{index: 12, tables: [2][]uint64{{12, 2, 9, 4, 5, 9}, {5, 5, 12}}}
	check(t, a.persist(newest))
	rng := rand.New(rand.NewPCG(1, 1))
	b := newMember(t)
	check(t, b.persist(older))
	before, err := b.disk.ReadDir(dir)
	check(t, err)
	old, err := b.stage(9, &pieces{stream, rng})
	check(t, err)
	token, err := b.stage(12, &pieces{a.stream(t), rng})
	check(t, err)
	if err := b.hand(9, old); err == nil || b.owner.aborted != 1 {
		t.Fatalf("the older one is still staged: %v", err)
	}
	c := memberOn(t, b.disk.Clone())
	c.holds(t, older)
	check(t, b.Close())
	if after, err := b.disk.ReadDir(dir); err != nil || !slices.Equal(after, before) {
		t.Fatalf("left behind: %q, %v", after, err)
	}
	if err := b.hand(12, token); err == nil {
		t.Fatal("installed behind Close")
	}
	if _, err := b.stage(12, &pieces{stream, rng}); err == nil {
		t.Fatal("staged behind Close")
	}
	b.holds(t, older)
}

// TestOfferedIsAskedFirst: what would be refused is not read.
func TestOfferedIsAskedFirst(t *testing.T) {
	m := newMember(t)
	read := errors.New("read")
	if _, err := m.stage(9, iotest.ErrReader(read)); !errors.Is(err, read) {
		t.Errorf("not read: %v", err)
	}
	useless := errors.New("useless")
	m.Offered = func(uint64, uint64) error { return useless }
	if _, err := m.stage(9, iotest.ErrReader(read)); !errors.Is(err, useless) {
		t.Errorf("staged: %v", err)
	}
	m.Offered = nil
	check(t, m.persist(newer))
	if _, err := m.stage(9, iotest.ErrReader(read)); err == nil || errors.Is(err, read) {
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
	rng := rand.New(rand.NewPCG(1, 1))
	if _, err := a.create(8); err == nil {
		t.Error("an older snapshot is taken")
	}
	if _, err := a.Create(raft.SnapshotVersionMax, 9, 2, members, 2, nil); err == nil {
		t.Error("the same index of another term is taken")
	}
	if _, err := a.Create(raft.SnapshotVersionMax, 10, 2, members, 11, nil); err == nil {
		t.Error("a configuration past the snapshot is taken")
	}
	if err := a.install(9, stream, rng); err == nil {
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
	if err := b.install(9, stream, rng); !errors.Is(err, busy) {
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
			err := b.install(9, stream, rand.New(rand.NewPCG(1, 1)))
			if err == nil || len(b.fatal) != 1 || b.owner.committed != 1 || b.owner.aborted != 0 {
				t.Fatalf("fault %d of %s: %v, fatal %v, owner committed %d times, aborted %d", fault, kind, err, b.fatal, b.owner.committed, b.owner.aborted)
			}
		}
	}
}

// FuzzInstall changes a stream, sets its manifest's hash right, and installs it: it must be refused, or be a snapshot that
// verifies.
func FuzzInstall(f *testing.F) {
	a := newMember(f)
	check(f, a.persist(newer))
	base := a.stream(f)
	end := streamHead + len(a.Store.newest.encode())
	f.Add([]byte{1, 2, 3, 4})
	f.Add(base[:200])
	f.Fuzz(func(t *testing.T, edits []byte) {
		rng := rand.New(rand.NewPCG(uint64(len(edits)), 1))
		bad := bytes.Clone(base)
		for e := edits; len(e) >= 3; e = e[3:] {
			bad[(int(e[0])|int(e[1])<<8)%end] ^= e[2]
		}
		copy(bad[streamHead:], seal(bad[streamHead:end-hashBytes:end-hashBytes]))
		for _, stream := range [][]byte{edits, bad} {
			b := newMember(t)
			if err := b.install(9, stream, rng); err != nil {
				continue
			}
			sn, err := b.Store.Newest()
			check(t, err)
			check(t, errors.Join(sn.Verify(), sn.Close()))
		}
	})
}
