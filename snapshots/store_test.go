package snapshots

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
)

const dir = "/snap"

func newDisk(t fataler) *vfs.Mem {
	m := vfs.NewMem()
	check(t, m.Mkdir(dir, 0o700))
	check(t, m.SyncDir("/"))
	return m
}

type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func check(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// state is what a snapshot should hold: pages of two tables, each page's bytes made from its index.
type state struct {
	index  uint64
	tables [2][]uint64 // index of each page
}

func (s state) clone() state {
	return state{s.index, [2][]uint64{slices.Clone(s.tables[0]), slices.Clone(s.tables[1])}}
}

// each calls yield for every page in order, without data. The first table has records, of the second nobody knows.
func (s state) each(yield func(page.Page) error) error {
	for t, pages := range s.tables {
		for n, index := range pages {
			p := page.Page{ID: page.ID{Table: uint8(t + 1), Number: uint64(n)}, Index: index}
			if t == 0 {
				p.RecordSize = recordSize
			}
			if err := yield(p); err != nil {
				return err
			}
		}
	}
	return nil
}

const recordSize = 64

// content is what a page has at an index. In a table with records each index changes one of eight.
func content(id page.ID, index uint64) []byte {
	b := make([]byte, page.Size)
	if id.Table == 1 {
		for slot := range page.Size / recordSize {
			record := b[slot*recordSize:][:recordSize]
			at := max(int(index)-(int(index)-slot%8+8)%8, 1)
			for i := 8; i < recordSize; i += 8 {
				binary.LittleEndian.PutUint64(record[i:], uint64(at*31+slot*i)+id.Number)
			}
			binary.LittleEndian.PutUint64(record, uint64(at))
		}
		return b
	}
	n := page.Size
	if index%3 == 0 {
		n = int(index*1000) % page.Size &^ 7 // a page with trailing zeros
	}
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], index*31+id.Number*7+uint64(id.Table)+uint64(i))
	}
	return b
}

// take writes the state as the next snapshot.
func take(s *Store, st state) error {
	w, err := s.Begin(st.index, 1)
	if err != nil {
		return err
	}
	err = st.each(func(p page.Page) error {
		if w.Changed(p.ID, p.Index) {
			p.Data = content(p.ID, p.Index)
		}
		return w.Page(p)
	})
	if err != nil {
		return errors.Join(err, w.Abort())
	}
	return w.Commit(page.Digest{st.index, 7}, fmt.Appendf(nil, "meta of %d", st.index))
}

// holds compares an open snapshot with the state that it should be.
func holds(sn *Snapshot, want state) error {
	if sn == nil {
		return errors.New("there is no snapshot")
	}
	if sn.Index != want.index || sn.Digest[0] != want.index || string(sn.Meta) != fmt.Sprintf("meta of %d", want.index) {
		return fmt.Errorf("snapshot of index %d, meta %q; want index %d", sn.Index, sn.Meta, want.index)
	}
	if n := len(want.tables[0]) + len(want.tables[1]); sn.Pages() != n {
		return fmt.Errorf("%d pages, want %d", sn.Pages(), n)
	}
	return sn.Walk(func(p page.Page) error {
		index := want.tables[p.Table-1][p.Number]
		if p.Index != index || !bytes.Equal(p.Data, content(p.ID, index)) {
			return fmt.Errorf("page %v is not that of index %d", p.ID, index)
		}
		return nil
	})
}

func newestHolds(t fataler, s *Store, want state) {
	t.Helper()
	sn, err := s.Newest()
	check(t, err)
	check(t, holds(sn, want))
	check(t, sn.Close())
}

// change moves the state to the next index.
func change(t *rapid.T, st *state) {
	st.index++
	for i := range st.tables {
		for range rapid.IntRange(0, 3).Draw(t, "new pages") {
			st.tables[i] = append(st.tables[i], st.index)
		}
		for range rapid.IntRange(0, 4).Draw(t, "changed pages") {
			if n := len(st.tables[i]); n > 0 {
				st.tables[i][rapid.IntRange(0, n-1).Draw(t, "page")] = st.index
			}
		}
	}
}

// TestStoreAgainstModel takes snapshots of a changing state, keeps readers of old ones, opens the directory again in
// between, and finds every snapshot as it was and the disk within its bound.
func TestStoreAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		disk := newDisk(t)
		s, err := Open(disk, dir)
		check(t, err)
		st := state{index: 1}
		taken := false
		type reader struct {
			sn   *Snapshot
			want state
		}
		var readers []reader
		var last state
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				if taken {
					sn, err := s.Newest()
					check(t, err)
					readers = append(readers, reader{sn, last})
				}
			case 1:
				if len(readers) > 0 {
					check(t, holds(readers[0].sn, readers[0].want))
					check(t, readers[0].sn.Close())
					readers = readers[1:]
				}
			case 2:
				check(t, s.Close())
				s, err = Open(disk, dir)
				check(t, err)
				readers = nil
			default:
				change(t, &st)
				check(t, take(s, st))
				taken, last = true, st.clone()
			}
			if taken {
				newestHolds(t, s, last)
			}
			if len(readers) == 0 && taken {
				bounded(t, disk, s)
			}
		}
		for _, r := range readers {
			check(t, holds(r.sn, r.want))
			check(t, r.sn.Close())
		}
		if taken {
			bounded(t, disk, s)
		}
	})
}

// bounded checks that the directory holds the newest manifest and its packs only, at most twice what lives.
func bounded(t *rapid.T, disk *vfs.Mem, s *Store) {
	names, err := disk.ReadDir(dir)
	check(t, err)
	total := uint64(0)
	for _, name := range names {
		if strings.HasSuffix(name, packSuffix) {
			total += uint64(len(disk.Bytes(path.Join(dir, name)))) - packHeader
		}
	}
	if want := len(s.newest.packs) + 1; len(names) != want {
		t.Fatalf("%d files, want %d: %q", len(names), want, names)
	}
	slack := uint64(8*s.newest.Pages() + packHeader*len(s.newest.packs))
	if live := s.newest.LiveBytes(); total > 2*live+slack {
		t.Fatalf("%d bytes of packs for %d that live", total, live)
	}
}

// TestFaults crosses every call that changes the disk while a snapshot is taken with {fails, fails but done, power cut
// after}. Afterwards, as the process sees it and as the disk could be after a power cut, the newest snapshot is the one
// before or the new one, whole; and the next snapshot works.
func TestFaults(t *testing.T) {
	before := state{index: 5, tables: [2][]uint64{{1, 2, 3, 4, 5}, {5, 5}}}
	after := state{index: 9, tables: [2][]uint64{{1, 9, 9, 9, 9, 9}, {5, 5, 9}}}
	count, kinds := 0, map[vfs.Kind]int{}
	for _, fault := range []vfs.Fault{vfs.Fail, vfs.FailPersisted, vfs.PowerCut} {
		for at := 0; ; at++ {
			disk := newDisk(t)
			s, err := Open(disk, dir)
			check(t, err)
			check(t, take(s, before))
			s.steps = steps{piece: 1, sync: 3 * page.Size, free: 2 * page.Size} // each page is a piece
			n, hit := 0, vfs.Op{}
			disk.Inject(func(op vfs.Op) vfs.Fault {
				n++
				if n-1 == at {
					hit = op
					return fault
				}
				return vfs.None
			})
			takeErr := take(s, after)
			disk.Inject(nil)
			if hit.Kind == "" {
				break // every call has had its turn
			}
			count++
			kinds[hit.Kind]++
			name := fmt.Sprintf("fault %d at call %d, %s %s", fault, at, hit.Kind, hit.Path)
			for seed := range uint64(12) {
				reopened(t, name, disk.Crash(seed), before, after, takeErr == nil)
			}
			if fault != vfs.PowerCut {
				same(t, name, s, disk, before, after, takeErr == nil)
			}
		}
	}
	if count < 30 || kinds[vfs.OpWriteBack] == 0 || kinds[vfs.OpTruncate] == 0 {
		t.Fatalf("only %d faults were tried: %v", count, kinds)
	}
}

// reopened opens a disk after a power cut: old or new, whole, and the next snapshot works. An acknowledged one is there.
func reopened(t *testing.T, name string, disk *vfs.Mem, before, after state, acknowledged bool) {
	t.Helper()
	s, err := Open(disk, dir)
	if err != nil {
		t.Fatalf("%s: after the power cut: %v", name, err)
	}
	sn, err := s.Newest()
	check(t, err)
	want := before
	if sn.Index == after.index {
		want = after
	} else if acknowledged {
		t.Fatalf("%s: an acknowledged snapshot is gone", name)
	}
	if err := holds(sn, want); err != nil {
		t.Fatalf("%s: after the power cut: %v", name, err)
	}
	check(t, sn.Close())
	next := after.clone()
	next.index++
	check(t, take(s, next))
	newestHolds(t, s, next)
	check(t, s.Close())
}

// same goes on in the process that met the fault.
func same(t *testing.T, name string, s *Store, disk *vfs.Mem, before, after state, acknowledged bool) {
	t.Helper()
	sn, err := s.Newest()
	if errors.Is(err, ErrReopen) {
		if acknowledged {
			t.Fatalf("%s: acknowledged, and yet %v", name, err)
		}
		check(t, s.Close())
		reopened(t, name, disk.Clone(), before, after, acknowledged)
		return
	}
	check(t, err)
	want := before
	if sn.Index == after.index {
		want = after
	}
	if err := holds(sn, want); err != nil {
		t.Fatalf("%s: in the same process: %v", name, err)
	}
	check(t, sn.Close())
	if err := take(s, after); err != nil {
		t.Fatalf("%s: the same snapshot again: %v", name, err)
	}
	newestHolds(t, s, after)
}

// TestDamage flips one bit, or cuts, in every file, at every place that a bit of it matters: it is named, and neither it
// nor anything older is served.
func TestDamage(t *testing.T) {
	disk := newDisk(t)
	s, err := Open(disk, dir)
	check(t, err)
	check(t, take(s, state{index: 3, tables: [2][]uint64{{1, 2, 3}, {3}}}))
	check(t, take(s, state{index: 4, tables: [2][]uint64{{1, 2, 4}, {3}}}))
	check(t, s.Close())
	names, err := disk.ReadDir(dir)
	check(t, err)
	served := func(d *vfs.Mem) error {
		s, err := Open(d, dir)
		if err != nil {
			return err
		}
		sn, err := s.Newest()
		if err != nil {
			return err
		}
		return errors.Join(sn.Verify(), sn.Close(), s.Close())
	}
	check(t, served(disk.Clone()))
	var damage *DamagedError
	for _, name := range names {
		file := path.Join(dir, name)
		size := len(disk.Bytes(file))
		places := []int{0, 8, 16, size - 1}
		if strings.HasSuffix(name, manifestSuffix) {
			places = places[:0]
			for i := range size {
				places = append(places, i)
			}
		} else {
			for i := packHeader; i < size; i += 777 {
				places = append(places, i)
			}
		}
		for _, at := range places {
			d := disk.Clone()
			d.Bytes(file)[at] ^= 0x10
			if err := served(d); !errors.As(err, &damage) || damage.File != file {
				if padding(disk, name, at) {
					continue
				}
				t.Fatalf("%s, bit at %d flipped: %v", name, at, err)
			}
		}
		for _, length := range []int{0, 10, size / 2, size - 1} {
			d := disk.Clone()
			f, err := d.OpenFile(file, 2, 0)
			check(t, err)
			check(t, f.Truncate(int64(length)))
			if err := served(d); !errors.As(err, &damage) || damage.File != file {
				t.Fatalf("%s cut to %d bytes: %v", name, length, err)
			}
		}
	}
}

// padding reports whether a pack's byte belongs to no page of the manifest: dead or padding.
func padding(disk *vfs.Mem, name string, at int) bool {
	s, err := Open(disk.Clone(), dir)
	if err != nil {
		return false
	}
	for _, p := range s.newest.pages {
		ref := s.newest.packs[p.pack]
		if packName(ref.number) == name && at >= int(p.offset) && at < int(p.offset)+int(p.length) {
			return false
		}
	}
	return at >= packHeader
}

func TestRefusals(t *testing.T) {
	s, err := Open(newDisk(t), dir)
	check(t, err)
	if sn, err := s.Newest(); sn != nil || err != nil {
		t.Fatalf("an empty directory has %v, %v", sn, err)
	}
	check(t, take(s, state{index: 4, tables: [2][]uint64{{4}, {4}}}))
	if _, err := s.Begin(3, 1); err == nil {
		t.Fatal("an older snapshot is accepted")
	}
	w, err := s.Begin(4, 1)
	check(t, err)
	if _, err := s.Begin(5, 1); !errors.Is(err, ErrBusy) {
		t.Fatalf("two at once: %v", err)
	}
	for name, p := range map[string]page.Page{
		"no data":   {ID: page.ID{Table: 1}, Index: 9},
		"half page": {ID: page.ID{Table: 1}, Index: 9, Data: make([]byte, 100)},
	} {
		if err := w.Page(p); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	check(t, w.Page(page.Page{ID: page.ID{Table: 1}, Index: 4, RecordSize: recordSize}))
	if err := w.Page(page.Page{ID: page.ID{Table: 1, Number: 2}, Index: 9, RecordSize: recordSize, Data: make([]byte, page.Size)}); err == nil {
		t.Error("a gap between pages is accepted")
	}
	if err := w.Commit(page.Digest{}, make([]byte, maxMeta+1)); err == nil {
		t.Error("too much meta is accepted")
	}
	check(t, w.Abort())
	newestHolds(t, s, state{index: 4, tables: [2][]uint64{{4}, {4}}})
	sn, err := s.Newest()
	check(t, err)
	if _, err := sn.ReadPage(page.ID{Table: 1, Number: 1}, make([]byte, page.Size)); !errors.Is(err, ErrNoPage) {
		t.Errorf("a page that is not there: %v", err)
	}
	check(t, sn.Close())
	check(t, sn.Close())
	check(t, s.Close())
}

// TestIncremental counts bytes: a snapshot after one of 200 pages changed writes that page and the manifest.
func TestIncremental(t *testing.T) {
	disk := newDisk(t)
	s, err := Open(disk, dir)
	check(t, err)
	st := state{index: 7, tables: [2][]uint64{slices.Repeat([]uint64{7}, 200), nil}}
	check(t, take(s, st))
	sizes := func() map[string]int {
		m := map[string]int{}
		names, err := disk.ReadDir(dir)
		check(t, err)
		for _, n := range names {
			m[n] = len(disk.Bytes(path.Join(dir, n)))
		}
		return m
	}
	before := sizes()
	st.index = 8
	st.tables[0][100] = 8
	check(t, take(s, st))
	wrote := 0
	for name, size := range sizes() {
		if _, old := before[name]; !old {
			wrote += size
		}
	}
	if limit := page.Size + packHeader + manifestHeader + 200*pageRefBytes + 200; wrote > limit {
		t.Fatalf("%d bytes written for one page, at most %d", wrote, limit)
	}
	newestHolds(t, s, st)
}
