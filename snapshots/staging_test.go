package snapshots

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
)

// large is a state of many pages, of which a tenth is newer than index 7.
func large(index uint64) state {
	st := state{index: index, tables: [2][]uint64{slices.Repeat([]uint64{7}, 900), slices.Repeat([]uint64{7}, 100)}}
	for n := range st.tables[0] {
		if n%10 == 3 && index > 7 {
			st.tables[0][n] = index
		}
	}
	return st
}

// TestOthersAreAskedFirst: a member that does not lead and has the snapshot gives all of it; one that has an older one is
// left after a while, and the leader fills in.
func TestOthersAreAskedFirst(t *testing.T) {
	leader, same, older := newMember(t), newMember(t), newMember(t)
	for _, m := range []*member{leader, same} {
		check(t, m.persist(large(9)))
	}
	check(t, older.persist(large(7)))
	manifest := leader.stream(t)

	b, from := newMember(t), of(leader, same)
	check(t, b.install(9, manifest, from))
	b.holds(t, large(9))
	if from.asked["a"] != 0 || from.asked["b"] != 1000 {
		t.Errorf("the leader was asked for %d pages, the other for %d; want 0 and 1000", from.asked["a"], from.asked["b"])
	}

	b, from = newMember(t), of(leader, older)
	check(t, b.install(9, manifest, from))
	b.holds(t, large(9))
	if from.asked["a"] != 90 || from.asked["b"] != 1000 {
		t.Errorf("the leader was asked for %d pages, the older one for %d; want 90 and 1000", from.asked["a"], from.asked["b"])
	}

	b, from = newMember(t), of(leader, newMember(t))
	check(t, b.install(9, manifest, from))
	b.holds(t, large(9))
	if from.asked["a"] != 1000 || from.asked["b"] != batchPages {
		t.Errorf("the leader was asked for %d pages, the one without a snapshot for %d; want 1000 and one batch", from.asked["a"], from.asked["b"])
	}
}

// TestOnlyNewRecordsAreSent where an older version of a page is held, in memory or in the staging area. That it is not what
// it should be is found out, and costs the whole page.
func TestOnlyNewRecordsAreSent(t *testing.T) {
	a := newMember(t)
	check(t, a.persist(large(9)))
	manifest := a.stream(t)
	b, from := newMember(t), of(a)
	check(t, b.persist(large(7)))
	check(t, b.install(9, manifest, from))
	b.holds(t, large(9))
	// Index 8 changed one record of eight, index 9 another one.
	changed := 90 * 2 * page.Size / 8
	if got := from.sent["a"] + from.wants; got < changed || got > changed*11/10 {
		t.Errorf("%d bytes for records of %d", got, changed)
	}

	check(t, a.persist(large(11)))
	c := newMember(t)
	_, err := c.stage(9, bytes.NewReader(manifest), of(a))
	check(t, err)
	from = of(a)
	check(t, c.install(11, a.stream(t), from))
	c.holds(t, large(11))
	if from.asked["a"] != 90 {
		t.Errorf("%d pages were asked for again; 90 were missing", from.asked["a"])
	}

	b, from = newMember(t), of(a)
	check(t, b.persist(large(7)))
	wrong := b.owner.present[page.ID{Table: 1, Number: 3}]
	wrong.Data = bytes.Clone(wrong.Data)
	wrong.Data[330] ^= 1
	b.owner.present[wrong.ID] = wrong
	wrong = b.owner.present[page.ID{Table: 1, Number: 4}]
	wrong.Data = bytes.Clone(wrong.Data)
	wrong.Data[330] ^= 1
	b.owner.present[wrong.ID] = wrong
	check(t, b.install(11, a.stream(t), from))
	b.holds(t, large(11))
	if from.asked["a"] != 91 {
		t.Errorf("%d pages were asked for; want 90 and one of them again, whole", from.asked["a"])
	}
}

// TestLyingSource: what it sends is never taken; it is left, and the others are asked.
func TestLyingSource(t *testing.T) {
	leader, liar := newMember(t), newMember(t)
	for _, m := range []*member{leader, liar} {
		check(t, m.persist(large(9)))
	}
	for name, lie := range map[string]func([]byte) []byte{
		"a bit":        func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"cut":          func(b []byte) []byte { return b[:len(b)-1] },
		"nothing":      func([]byte) []byte { return nil },
		"more":         func(b []byte) []byte { return append(b, 0) },
		"all of again": func(b []byte) []byte { return append(b, b...) },
	} {
		b, from := newMember(t), of(leader, liar)
		from.disturb = func(id raft.ServerID, items []byte) ([]byte, error) {
			if id == "b" {
				return lie(items), nil
			}
			return items, nil
		}
		if err := b.install(9, leader.stream(t), from); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b.holds(t, large(9))
	}
}

var errBroken = errors.New("the connection broke")

// TestBrokenConnectionsToOthers: a member that does not lead goes on being asked, however often the connection to it breaks, while
// something comes.
func TestBrokenConnectionsToOthers(t *testing.T) {
	leader, other := newMember(t), newMember(t)
	check(t, leader.persist(large(9)))
	check(t, other.persist(large(9)))
	b, from, chunks := newMember(t), of(leader, other), 0
	from.disturb = func(id raft.ServerID, items []byte) ([]byte, error) {
		if chunks++; chunks%13 == 0 {
			return nil, errBroken
		}
		return items, nil
	}
	check(t, b.install(9, leader.stream(t), from))
	b.holds(t, large(9))
	if from.asked["a"] != 0 {
		t.Errorf("the leader was asked for %d pages", from.asked["a"])
	}
}

// TestBrokenConnections: what has arrived is not asked for again, in the same process, after a kill and after a power cut,
// where it was synced.
func TestBrokenConnections(t *testing.T) {
	a := newMember(t)
	check(t, a.persist(large(9)))
	manifest := a.stream(t)
	b, from, chunks := newMember(t), of(a), 0
	from.disturb = func(_ raft.ServerID, items []byte) ([]byte, error) {
		if chunks++; chunks%13 == 0 {
			return nil, errBroken
		}
		return items, nil
	}
	check(t, b.install(9, manifest, from))
	b.holds(t, large(9))
	if limit := 1000 * page.Size * 13 / 11; from.sent["a"] > limit {
		t.Errorf("%d bytes were sent, at most %d expected", from.sent["a"], limit)
	}

	broken := func(m *member) (arrived int) {
		from := of(a)
		from.disturb = func(_ raft.ServerID, items []byte) ([]byte, error) {
			if arrived == 70 {
				return nil, errBroken
			}
			arrived++
			return items, nil
		}
		if _, err := m.stage(9, bytes.NewReader(manifest), from); !errors.Is(err, errBroken) {
			t.Fatalf("staged over a broken connection: %v", err)
		}
		return arrived
	}
	for name, again := range map[string]func(*member) *member{
		"the same process": func(m *member) *member { return m },
		"a kill":           func(m *member) *member { return memberOn(t, m.disk.Clone()) },
		"a power cut":      func(m *member) *member { return memberOn(t, m.disk.Crash(3)) },
	} {
		b := newMember(t)
		broken(b)
		there := len(b.area.pages)
		b, from := again(b), of(a)
		check(t, b.install(9, manifest, from))
		b.holds(t, large(9))
		if there < 500 || from.asked["a"] != 1000-there {
			t.Errorf("%s: %d pages had arrived, %d were asked for", name, there, from.asked["a"])
		}
	}
}

// TestStagingEnds with its context, and where nobody has the pages.
func TestStagingEnds(t *testing.T) {
	a, b := newMember(t), newMember(t)
	check(t, a.persist(large(9)))
	request := &raft.InstallSnapshotRequest{LastLogIndex: 9, LastLogTerm: 1, ConfigurationIndex: 2}
	from, why := of(a), errors.New("the leader has lost its term")
	ctx, cancel := context.WithCancelCause(t.Context())
	from.disturb = func(_ raft.ServerID, items []byte) ([]byte, error) { cancel(why); return items, nil }
	var last Progress
	if _, err := b.Stage(ctx, request, bytes.NewReader(a.stream(t)), from, func(p Progress) { last = p }); !errors.Is(err, why) {
		t.Errorf("ended with %v", err)
	}
	if last.Phase != PhasePulling || last.PagesTotal != 1000 || last.BytesFromLeader == 0 || last.Source != "a" {
		t.Errorf("the last progress was %+v", last)
	}
	if _, err := b.stage(9, bytes.NewReader(a.stream(t)), of(newMember(t))); err == nil || !strings.Contains(err.Error(), "were not sent by any member") {
		t.Errorf("nobody has the pages: %v", err)
	}
	if _, err := b.stage(9, bytes.NewReader(a.stream(t)), of()); !errors.Is(err, errNoSource) {
		t.Errorf("nobody is there: %v", err)
	}
	check(t, b.install(9, a.stream(t), of(a)))
}

// TestDamageHere: a page that is damaged on this disk or in memory is not built on.
func TestDamageHere(t *testing.T) {
	a := newMember(t)
	check(t, a.persist(large(7)))
	check(t, a.persist(large(9)))
	for name, empty := range map[string]bool{"with the state in memory": false, "before it was read": true} {
		b := newMember(t)
		check(t, b.persist(large(7)))
		for _, file := range packs(t, b) {
			bytes := b.disk.Bytes(file)
			for at := packHeader; at < len(bytes); at += 100 * page.Size {
				bytes[at] ^= 1
			}
		}
		if empty {
			b.owner.present = nil
		}
		sn, err := b.Store.Newest()
		check(t, err)
		damaged := 0
		check(t, sn.each(func(_ int, _ *tableRef, id page.ID) error {
			if _, err := sn.ReadPage(id, make([]byte, page.Size)); err != nil {
				damaged++
			}
			return nil
		}))
		check(t, sn.Close())
		from := of(a)
		check(t, b.install(9, a.stream(t), from))
		if want := 90 + damaged; damaged < 5 || empty && from.asked["a"] != want || !empty && from.asked["a"] != 90 {
			t.Errorf("%s: %d pages were asked for, %d are damaged", name, from.asked["a"], damaged)
		}
		b.holds(t, large(9))
	}
}

func packs(t testing.TB, m *member) (files []string) {
	t.Helper()
	names, err := m.disk.ReadDir(dir)
	check(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, packSuffix) {
			files = append(files, path.Join(dir, name))
		}
	}
	return files
}

// TestDamagedSource: what is damaged on a member's disk is not served; another one has it.
func TestDamagedSource(t *testing.T) {
	leader, other := newMember(t), newMember(t)
	for _, m := range []*member{leader, other} {
		check(t, m.persist(large(9)))
	}
	for _, file := range packs(t, other) {
		other.disk.Bytes(file)[packHeader+50*page.Size] ^= 1
	}
	var told []error
	other.Damaged = func(err *DamagedError) { told = append(told, err) }
	b, from := newMember(t), of(leader, other)
	check(t, b.install(9, leader.stream(t), from))
	b.holds(t, large(9))
	if from.asked["a"] != 1 || len(told) != 1 {
		t.Errorf("the leader was asked for %d pages, want 1; told %v", from.asked["a"], told)
	}
	// Its next snapshot takes the page anew from memory.
	check(t, other.persist(state{index: 10, tables: large(9).tables}))
	sn, err := other.Store.Newest()
	check(t, err)
	check(t, errors.Join(sn.Verify(), sn.Close()))
}

// TestServedSnapshotStays between the calls of one who pulls it, and a while after, though a newer one is taken; then its
// packs go.
func TestServedSnapshotStays(t *testing.T) {
	a, b := newMember(t), newMember(t)
	check(t, a.persist(large(7)))
	manifest, from := a.stream(t), of(a)
	taken := 0
	from.disturb = func(_ raft.ServerID, items []byte) ([]byte, error) {
		if taken++; taken <= 3 {
			all := large(7)
			for n := range all.tables[0] {
				all.tables[0][n] = 8 + uint64(taken)
			}
			all.index = 8 + uint64(taken)
			check(t, a.persist(all))
		}
		return items, nil
	}
	check(t, b.install(7, manifest, from))
	b.holds(t, large(7))
	if n := len(packs(t, a)); n < 2 {
		t.Fatalf("%d packs: what was served is gone already", n)
	}
	for _, o := range a.serving.open {
		o.expire()
	}
	if n := len(packs(t, a)); n > 2 || len(a.serving.open) != 0 {
		t.Errorf("%d packs, %d snapshots open", n, len(a.serving.open))
	}
	opened := 0
	for i := range maxIdleServed + 3 {
		check(t, a.persist(large(20+uint64(i))))
		a.stream(t)
		opened++
	}
	if n := len(a.serving.open); n != maxIdleServed {
		t.Errorf("%d snapshots are kept open of %d, want %d", n, opened, maxIdleServed)
	}
}

// TestStagingAreaIsBounded: where one snapshot after another is offered and none is taken, what no one needs goes.
func TestStagingAreaIsBounded(t *testing.T) {
	a, b := newMember(t), newMember(t)
	const pages = 500
	for i := range uint64(8) {
		st := state{tables: [2][]uint64{make([]uint64, pages)}}
		for n := range st.tables[0] {
			st.tables[0][n] = 10 + i
		}
		st.index = 10 + i
		check(t, a.persist(st))
		_, err := b.stage(st.index, bytes.NewReader(a.stream(t)), of(a))
		check(t, err)
		if size := b.packBytes(t); size > maxWaste+3*pages*page.Size {
			t.Fatalf("after %d snapshots the staging area has %d bytes for a state of %d", i+1, size, pages*page.Size)
		}
	}
}

// stageStory is what happens between two states of a disk: a member holds older, and takes in newest.
type stageStory struct {
	name string
	from func(*member) // what it was before
}

// TestStagingFaults crosses every call that changes the disk, while a snapshot is pulled and installed, with {fails, fails
// but done, power cut after}. A start then finds the old snapshot or the new one, whole, and takes the new one in.
func TestStagingFaults(t *testing.T) {
	a := newMember(t)
	small := func(index uint64, n int) state {
		st := state{index: index, tables: [2][]uint64{slices.Repeat([]uint64{5}, n), {5, index}}}
		for i := range st.tables[0] {
			if i%3 == 0 {
				st.tables[0][i] = index
			}
		}
		return st
	}
	old, newest := small(6, 12), small(9, 14)
	check(t, a.persist(small(8, 14)))
	earlier := a.stream(t)
	_, held, err := a.Open(snapshotIDOf(small(8, 14)))
	check(t, err)
	defer held.Close()
	check(t, a.persist(newest))
	manifest := a.stream(t)
	for _, s := range []stageStory{
		{"an empty disk", func(*member) {}},
		{"an older snapshot", func(m *member) { check(t, m.persist(old)) }},
		{"memory ahead of the disk", func(m *member) { check(t, m.persist(old)); m.set(small(8, 14)) }},
		{"another one staged before", func(m *member) {
			check(t, m.persist(old))
			_, err := m.stage(8, bytes.NewReader(earlier), of(a))
			check(t, err)
		}},
	} {
		for _, fault := range []vfs.Fault{vfs.Fail, vfs.FailPersisted, vfs.PowerCut} {
			calls := 0
			for ; s.try(t, fault, calls, manifest, a, newest); calls++ {
			}
			if calls < 8 {
				t.Errorf("%s, fault %d: only %d calls", s.name, fault, calls)
			}
		}
	}
}

// try lets one call fail; false: there are no more.
func (s *stageStory) try(t *testing.T, fault vfs.Fault, at int, manifest []byte, a *member, newest state) bool {
	t.Helper()
	b := newMember(t)
	s.from(b)
	calls, hit := 0, vfs.Op{}
	b.disk.Inject(func(op vfs.Op) vfs.Fault {
		if calls++; calls-1 == at {
			hit = op
			return fault
		}
		return vfs.None
	})
	err := b.install(9, manifest, of(a))
	b.disk.Inject(nil)
	if hit.Kind == "" {
		check(t, err)
		b.holds(t, newest)
		return false
	}
	name := fmt.Sprintf("%s, fault %d at call %d, %s of %s (%v, fatal %v)", s.name, fault, at, hit.Kind, hit.Path, err, b.fatal)
	disks := []*vfs.Mem{b.disk.Crash(uint64(at))}
	if fault != vfs.PowerCut {
		disks = append(disks, b.disk.Clone())
	}
	for i, disk := range disks {
		c := memberOn(t, disk)
		sn, openErr := c.Store.Newest()
		check(t, openErr)
		if sn != nil {
			if err := sn.Verify(); err != nil {
				t.Fatalf("%s, disk %d: %v", name, i, err)
			}
			if err == nil && sn.Index != 9 {
				t.Fatalf("%s, disk %d: installed, and a start finds index %d", name, i, sn.Index)
			}
			check(t, sn.Close())
		}
		if sn == nil || sn.Index < 9 {
			if err := c.install(9, manifest, of(a)); err != nil {
				t.Fatalf("%s, disk %d: once more: %v", name, i, err)
			}
		}
		c.holds(t, newest)
		c = memberOn(t, c.disk.Crash(4))
		c.holds(t, newest)
		if n := len(c.area.orNone()); n > 0 {
			t.Fatalf("%s: %d pages are still staged", name, n)
		}
	}
	if fault == vfs.PowerCut || len(b.fatal) > 0 {
		return true
	}
	if err != nil {
		if err := b.install(9, manifest, of(a)); err != nil {
			t.Fatalf("%s: once more in the same process: %v", name, err)
		}
	}
	b.holds(t, newest)
	return true
}

// orNone are the pages of an area that may not be there.
func (a *area) orNone() map[page.ID]pageRef {
	if a == nil {
		return nil
	}
	return a.pages
}

// TestStagingAgainstModel: three members' snapshots move on, one follows with what it has, over connections that break, lie
// and sources that are behind, killed and cut off in between; whenever it has installed one it holds exactly that state.
func TestStagingAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		leader, other, b := newMember(t), newMember(t), newMember(t)
		st := state{index: 1}
		installs := 0
		for range rapid.IntRange(2, 12).Draw(rt, "steps") {
			for range rapid.IntRange(1, 4).Draw(rt, "changes") {
				change(rt, &st)
			}
			check(rt, leader.persist(st))
			if rapid.Bool().Draw(rt, "the other too") {
				check(rt, other.persist(st))
			}
			if installs > 0 && rapid.IntRange(0, 3).Draw(rt, "own snapshot") == 0 && b.Store.newest.Index < st.index {
				check(rt, b.persist(st))
				continue
			}
			from := of(leader, other)
			breaks, chunks := rapid.IntRange(0, 12).Draw(rt, "breaks every"), 0
			whole := rapid.IntRange(0, 2).Draw(rt, "ends") > 0
			from.disturb = func(_ raft.ServerID, items []byte) ([]byte, error) {
				chunks++
				switch {
				case breaks > 0 && chunks > breaks && !whole:
					return nil, errBroken
				case breaks > 1 && chunks%breaks == 0 && chunks%2 == 0:
					return nil, errBroken
				case breaks > 1 && chunks%breaks == 0:
					items[len(items)/2] ^= 1
				}
				return items, nil
			}
			if err := b.install(st.index, leader.stream(t), from); err == nil {
				installs++
				b.holds(t, st)
			}
			switch rapid.IntRange(0, 4).Draw(rt, "then") {
			case 0:
				b = memberOn(t, b.disk.Clone())
			case 1:
				b = memberOn(t, b.disk.Crash(uint64(installs)))
			}
		}
		check(rt, leader.persist(state{index: st.index + 1, tables: st.tables}))
		check(rt, b.install(st.index+1, leader.stream(t), of(leader, other)))
		b.holds(t, state{index: st.index + 1, tables: st.tables})
	})
}
