package snapshots

import (
	"errors"
	"path"
	"slices"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
)

// sink is what raft gets when it has applied index and knows of a configuration.
func (m *member) sink(t *testing.T, index, configuration uint64) *Sink {
	t.Helper()
	s, err := m.Create(raft.SnapshotVersionMax, index, 1, members, configuration, nil)
	check(t, err)
	return s.(*Sink)
}

// TestPublish: what is prepared is not seen until a sink publishes it, whose index and term are then the mark's, not those
// that raft asked for.
func TestPublish(t *testing.T) {
	m := newMember(t)
	check(t, m.persist(older))
	p, err := m.prepare(newer)
	check(t, err)
	m.holds(t, older)
	if _, err := m.Prepare(12, 1, nil); !errors.Is(err, ErrBusy) {
		t.Errorf("two are prepared at once: %v", err)
	}
	for what, s := range map[string]struct {
		sink        *Sink
		index, term uint64
	}{
		"another mark":                {m.sink(t, 20, 2), 8, 1},
		"the mark of another term":    {m.sink(t, 20, 2), 9, 2},
		"a mark past what is applied": {m.sink(t, 8, 2), 9, 1},
	} {
		if err := s.sink.Publish(s.index, s.term); err == nil || s.sink.Close() == nil {
			t.Errorf("%s is published", what)
		}
	}
	m.holds(t, older)
	s := m.sink(t, 20, 2)
	check(t, s.Publish(9, 1))
	check(t, errors.Join(s.Close(), s.Cancel(), p.Drop()))
	if list, err := m.List(); err != nil || s.ID() != list[0].ID || list[0].Index != 9 || list[0].Term != 1 {
		t.Errorf("the sink says %s, listed are %v, %v", s.ID(), list, err)
	}
	m.holds(t, newer)
	if err := m.sink(t, 21, 2).Close(); err == nil {
		t.Error("a sink that published nothing ends well")
	}
	m = memberOn(t, m.disk.Crash(1))
	m.holds(t, newer)
}

// TestConfigurationPastTheMark: with a configuration newer than the state it would go backwards when the log is replayed.
func TestConfigurationPastTheMark(t *testing.T) {
	m := newMember(t)
	check(t, m.persist(older))
	p, err := m.prepare(newer)
	check(t, err)
	s := m.sink(t, 20, newer.index+1)
	if err := s.Publish(9, 1); !errors.Is(err, errPastMark) {
		t.Errorf("published with a configuration that is newer: %v", err)
	}
	check(t, p.Drop())
	m.holds(t, older)
}

// TestDroppedIsGone: what was prepared in vain leaves nothing, and what ends its writing is passed on.
func TestDroppedIsGone(t *testing.T) {
	m := newMember(t)
	check(t, m.persist(older))
	before, err := m.disk.ReadDir(dir)
	check(t, err)
	p, err := m.prepare(newer)
	check(t, err)
	check(t, errors.Join(p.Drop(), p.Drop()))
	if err := m.sink(t, 20, 2).Publish(9, 1); err == nil {
		t.Error("what was dropped is published")
	}
	over := errors.New("over")
	q, err := m.Prepare(9, 1, func() error { return over })
	check(t, err)
	if err := feed(q, newer); !errors.Is(err, over) {
		t.Errorf("written to the end: %v", err)
	}
	if err := q.Seal(); err == nil {
		t.Error("sealed though it is not complete")
	}
	check(t, q.Drop())
	if after, err := m.disk.ReadDir(dir); err != nil || !slices.Equal(after, before) {
		t.Errorf("left behind: %q, %v, want %q", after, err, before)
	}
	check(t, m.persist(newer))
}

// TestPackIsWrittenInPieces: each when the pace lets it, written out before the next, and fsynced on the way: the log on the same
// disk never has to wait for much of it.
func TestPackIsWrittenInPieces(t *testing.T) {
	disk := newDisk(t)
	by := steps{piece: 64 << 10, sync: 512 << 10, free: 1 << 20}
	calls, unwritten, paced := map[vfs.Kind]int{}, 0, 0
	disk.Inject(func(op vfs.Op) vfs.Fault {
		switch calls[op.Kind]++; op.Kind {
		case vfs.OpWrite:
			unwritten++
		case vfs.OpWriteBack, vfs.OpSync:
			unwritten = 0
		}
		if unwritten > 2 { // the buffer's, and what a page was more than it
			t.Errorf("%d writes are not on the device", unwritten)
		}
		return vfs.None
	})
	w, err := createPack(disk, path.Join(dir, packName(1)), 1, by, func(bytes int) {
		if paced += bytes; bytes > int(by.piece)+2*page.Size {
			t.Errorf("a piece of %d bytes", bytes)
		}
	})
	check(t, err)
	data := make([]byte, page.Size)
	data[len(data)-1] = 1
	all := 2 * int(by.sync)
	for range all / len(data) {
		_, _, err := w.add(data)
		check(t, err)
	}
	if calls[vfs.OpSync] != 2 || calls[vfs.OpWriteBack] != all/int(by.piece)-2 {
		t.Errorf("%v for %d bytes, want a piece each %d bytes and an fsync each %d", calls, all, by.piece, by.sync)
	}
	if paced != int(w.offset) {
		t.Errorf("%d of %d bytes were paced", paced, w.offset)
	}
	check(t, w.finish())
}
