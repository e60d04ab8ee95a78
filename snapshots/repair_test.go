package snapshots

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/ballastdb/ballast/internal/vfs"
)

// mend does what a start does that finds its newest snapshot damaged.
func mend(t *testing.T, disk *vfs.Mem, manifest []byte, from Puller) (pulled uint64, fatal, err error) {
	t.Helper()
	store, err := OpenDamaged(disk, dir)
	if err != nil {
		return 0, nil, err
	}
	rs := NewRaftStore(RaftConfig{
		Store: store, Owner: &fakeOwner{}, PullPause: time.Microsecond, Fatal: func(err error) { fatal = err },
	})
	err = rs.Repair(context.Background(), manifest, from, func(p Progress) { pulled = p.PagesDone - p.PagesReused })
	return pulled, fatal, errors.Join(err, rs.Close(), store.Close())
}

// small is a state of which a third changed at index.
func small(index uint64, n int) state {
	st := state{index: index, tables: [2][]uint64{slices.Repeat([]uint64{5}, n), {5, index}}}
	for i := range st.tables[0] {
		if i%3 == 0 {
			st.tables[0][i] = index
		}
	}
	return st
}

// damage is a way to lose a snapshot.
type damage struct {
	name string
	do   func(t *testing.T, disk *vfs.Mem, s *Store)
	open bool // Open still takes it; reading finds out
}

func damagesOfSnapshot() []damage {
	pack := func(s *Store) string { return path.Join(dir, packName(s.newest.packs[0].number)) }
	return []damage{
		{"a page", func(_ *testing.T, disk *vfs.Mem, s *Store) { disk.Bytes(pack(s))[s.newest.pages[1].offset+8] ^= 1 }, true},
		{"a pack's header", func(_ *testing.T, disk *vfs.Mem, s *Store) { disk.Bytes(pack(s))[0] ^= 1 }, false},
		{"a pack cut short", func(t *testing.T, disk *vfs.Mem, s *Store) {
			f, err := disk.OpenFile(pack(s), 2, 0)
			check(t, err)
			check(t, f.Truncate(3000))
		}, false},
		{"a pack lost", func(t *testing.T, disk *vfs.Mem, s *Store) { check(t, disk.Remove(pack(s))) }, false},
		{"the manifest", func(_ *testing.T, disk *vfs.Mem, s *Store) { disk.Bytes(path.Join(dir, s.name))[70] ^= 1 }, false},
		{"the manifest emptied", func(t *testing.T, disk *vfs.Mem, s *Store) {
			f, err := disk.OpenFile(path.Join(dir, s.name), 2, 0)
			check(t, err)
			check(t, f.Truncate(0))
		}, false},
		{"nothing, but the state is wrong", func(*testing.T, *vfs.Mem, *Store) {}, true},
	}
}

// TestRepairFaults damages a snapshot in every way, mends it from another member, and crosses every call that changes the disk
// meanwhile with {fails, fails but done, power cut after}: the next start finds the damage again, or the new snapshot whole,
// never anything else; and mending it once more works.
func TestRepairFaults(t *testing.T) {
	a := newMember(t)
	older, newest := small(6, 3), small(9, 4)
	check(t, a.persist(older))
	check(t, a.persist(newest))
	manifest := a.stream(t)
	for i, d := range damagesOfSnapshot() {
		for k, before := range []state{older, newest} { // an older one, and the very same
			if (i+k)%2 == 0 { // by turns
				continue
			}
			for _, fault := range []vfs.Fault{vfs.Fail, vfs.FailPersisted, vfs.PowerCut} {
				calls := 0
				for {
					disk := damagedDisk(t, before, d)
					if !tryMending(t, d.name, disk, fault, calls, manifest, of(a), newest) {
						break
					}
					calls++
				}
				if calls < 2 {
					t.Errorf("%s, fault %d: only %d calls", d.name, fault, calls)
				}
			}
		}
	}
}

func damagedDisk(t *testing.T, st state, d damage) *vfs.Mem {
	t.Helper()
	disk := newDisk(t)
	b := memberOn(t, disk)
	check(t, b.persist(st))
	store := b.Store
	check(t, b.Close())
	check(t, store.Close())
	d.do(t, disk, store)
	s, err := Open(disk, dir)
	if err == nil {
		check(t, s.Close())
	}
	if (err == nil) != d.open {
		t.Fatalf("%s: Open answers %v", d.name, err)
	}
	return disk
}

// tryMending lets one call fail; false: there are no more.
func tryMending(t *testing.T, name string, disk *vfs.Mem, fault vfs.Fault, at int, manifest []byte, from Puller, newest state) bool {
	t.Helper()
	calls, hit := 0, vfs.Op{}
	disk.Inject(func(op vfs.Op) vfs.Fault {
		if calls++; calls-1 == at {
			hit = op
			return fault
		}
		return vfs.None
	})
	_, fatal, err := mend(t, disk, manifest, from)
	disk.Inject(nil)
	if hit.Kind == "" {
		check(t, err)
		memberOn(t, disk).holds(t, newest)
		return false
	}
	name = fmt.Sprintf("%s, fault %d at call %d, %s of %s (%v, fatal %v)", name, fault, at, hit.Kind, hit.Path, err, fatal)
	disks := []*vfs.Mem{disk.Crash(uint64(at))}
	if fault != vfs.PowerCut {
		disks = append(disks, disk.Clone())
	}
	for i, disk := range disks {
		if err == nil && fatal == nil {
			memberOn(t, disk.Clone()).holds(t, newest) // it was told to be mended
		}
		if _, _, err := mend(t, disk, manifest, from); err != nil {
			t.Fatalf("%s, disk %d: once more: %v", name, i, err)
		}
		memberOn(t, disk).holds(t, newest)
		memberOn(t, disk.Crash(3)).holds(t, newest)
	}
	return true
}

// TestRepairUsesWhatIsGood, and takes no snapshot that is older than the one that is damaged.
func TestRepairUsesWhatIsGood(t *testing.T) {
	a, b := newMember(t), newMember(t)
	old := small(5, 40)
	check(t, a.persist(old))
	older := a.stream(t)
	check(t, a.persist(small(9, 40)))
	check(t, b.persist(small(9, 40)))
	b.disk.Bytes(path.Join(dir, packName(b.Store.newest.packs[0].number)))[b.Store.newest.pages[3].offset+8] ^= 1
	check(t, b.Close())
	check(t, b.Store.Close())
	if _, _, err := mend(t, b.disk, older, of(a)); err == nil {
		t.Error("an older snapshot is taken")
	}
	pulled, _, err := mend(t, b.disk, a.stream(t), of(a))
	if err != nil || pulled != 1 {
		t.Fatalf("%d pages pulled for one that is damaged: %v", pulled, err)
	}
	memberOn(t, b.disk).holds(t, small(9, 40))
}

// TestLoad gives the owner every page, or says what is damaged.
func TestLoad(t *testing.T) {
	m := newMember(t)
	alive := func(int, int) error { return nil }
	check(t, m.RaftStore.Load(alive))
	check(t, m.persist(small(9, 40)))
	check(t, m.RaftStore.Load(alive))
	if m.owner.committed != 1 || len(m.owner.next) != 42 {
		t.Fatalf("committed %d times, %d pages", m.owner.committed, len(m.owner.next))
	}
	gone := errors.New("gone")
	if err := m.RaftStore.Load(func(int, int) error { return gone }); !errors.Is(err, gone) || m.owner.aborted != 1 {
		t.Errorf("ended: %v, aborted %d times", err, m.owner.aborted)
	}
	m.disk.Bytes(path.Join(dir, packName(m.Store.newest.packs[0].number)))[m.Store.newest.pages[3].offset+8] ^= 1
	var damaged *DamagedError
	if err := m.RaftStore.Load(alive); !errors.As(err, &damaged) || m.owner.aborted != 2 {
		t.Errorf("damaged: %v, aborted %d times", err, m.owner.aborted)
	}
}
