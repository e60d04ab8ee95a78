package page

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// model is a space the obvious way: records by position.
type model struct {
	records    [2]map[uint64][]byte // table, queue
	head, tail uint64               // of the queue
	length     uint64               // of the table
}

type rig struct {
	space *Space
	table *Table
	queue *Queue
	model model
	index uint64
}

func newRig() *rig {
	s := NewSpace()
	return &rig{
		space: s, table: s.Table(1, 5000/8*8), queue: s.Queue(2, 2048),
		model: model{records: [2]map[uint64][]byte{{}, {}}},
	}
}

func (r *rig) write(rec []byte, v uint64) {
	for i := indexBytes; i < len(rec); i += 8 {
		binary.LittleEndian.PutUint64(rec[i:], v+uint64(i))
	}
}

// step makes one random change.
func (r *rig) step(t *rapid.T) {
	if rapid.Bool().Draw(t, "next index") {
		r.index++
	}
	r.index = max(r.index, 1)
	v := rapid.Uint64().Draw(t, "value")
	m := &r.model
	switch k := rapid.IntRange(0, 4).Draw(t, "kind"); {
	case k == 0 || (k == 1 && m.length == 0):
		slot, rec := r.table.Append(r.index)
		r.write(rec, v)
		r.table.End(slot, r.index)
		if slot != m.length {
			t.Fatalf("slot %d, want %d", slot, m.length)
		}
		m.length++
		m.records[0][slot] = bytes.Clone(r.table.Get(slot))
	case k == 1:
		slot := rapid.Uint64Range(0, m.length-1).Draw(t, "slot")
		r.write(r.table.Begin(slot), v)
		r.table.End(slot, r.index)
		m.records[0][slot] = bytes.Clone(r.table.Get(slot))
	case k == 2 || m.head == m.tail:
		pos, rec := r.queue.Append(r.index)
		r.write(rec, v)
		r.queue.End(pos, r.index)
		if pos != m.tail {
			t.Fatalf("position %d, want %d", pos, m.tail)
		}
		m.tail++
		m.records[1][pos] = bytes.Clone(r.queue.Get(pos))
	case k == 3:
		pos := rapid.Uint64Range(m.head, m.tail-1).Draw(t, "position")
		r.write(r.queue.Begin(pos), v)
		r.queue.End(pos, r.index)
		m.records[1][pos] = bytes.Clone(r.queue.Get(pos))
	default:
		r.queue.DropHead(r.index)
		delete(m.records[1], m.head)
		m.head++
	}
}

func (m *model) clone() model {
	c := *m
	c.records = [2]map[uint64][]byte{maps.Clone(m.records[0]), maps.Clone(m.records[1])}
	return c
}

// same compares a space with a model, record by record.
func same(t *rapid.T, what string, r *rig, m *model) {
	if r.table.Len() != m.length || r.queue.Head() != m.head || r.queue.Tail() != m.tail {
		t.Fatalf("%s: table of %d, queue %d..%d; want %d, %d..%d", what, r.table.Len(), r.queue.Head(), r.queue.Tail(), m.length, m.head, m.tail)
	}
	for slot, want := range m.records[0] {
		if !bytes.Equal(r.table.Get(slot), want) {
			t.Fatalf("%s: slot %d differs", what, slot)
		}
	}
	for pos, want := range m.records[1] {
		if !bytes.Equal(r.queue.Get(pos), want) {
			t.Fatalf("%s: position %d differs", what, pos)
		}
	}
	if d, full := r.space.Digest(), r.space.RecomputeDigest(); d != full {
		t.Fatalf("%s: digest %v, recomputed %v", what, d, full)
	}
	if damaged := scrub(r.space); len(damaged) > 0 {
		t.Fatalf("%s: the scrub finds %v", what, damaged)
	}
}

// TestSpaceAgainstModel changes a space at random, pins views in between, and loads every view's pages into a new
// space: it must be the state at the pin, whatever happened since.
func TestSpaceAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRig()
		type pin struct {
			view   *View
			model  model
			digest Digest
		}
		var pins []pin
		var lock sync.RWMutex
		read := func(p pin) {
			got := newRig()
			if err := p.view.Pages(func(pg Page) error {
				if rapid.IntRange(0, 3).Draw(t, "change while reading") == 0 {
					lock.Lock()
					r.step(t)
					lock.Unlock()
				}
				return got.space.Load(pg)
			}); err != nil {
				t.Fatal(err)
			}
			if err := got.space.Loaded(nil); err != nil {
				t.Fatal(err)
			}
			if p.model.head == p.model.tail {
				if err := got.queue.Reset(p.model.head); err != nil {
					t.Fatal(err)
				}
			}
			same(t, "view", got, &p.model)
			if got.space.Digest() != p.digest || p.view.Digest() != p.digest {
				t.Fatalf("view's digest %v, loaded %v, want %v", p.view.Digest(), got.space.Digest(), p.digest)
			}
			p.view.Close()
		}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			switch rapid.IntRange(0, 19).Draw(t, "what") {
			case 0:
				pins = append(pins, pin{r.space.View(lock.RLocker()), r.model.clone(), r.space.Digest()})
				r.index++ // changes after a pin carry a higher index
			case 1:
				if len(pins) > 0 {
					read(pins[0])
					pins = pins[1:]
				}
			default:
				r.step(t)
			}
		}
		for _, p := range pins {
			read(p)
		}
		same(t, "space", r, &r.model)
	})
}

// TestViewCostsOnlyWhatChanges pins a view, changes one record again and again, and finds one record preserved; after
// its page was read, none.
func TestViewCostsOnlyWhatChanges(t *testing.T) {
	s := NewSpace()
	table := s.Table(1, 128)
	for range 1000 {
		slot, _ := table.Append(1)
		table.End(slot, 1)
	}
	var lock sync.RWMutex
	v := s.View(lock.RLocker())
	change := func(slot, index uint64) { table.Begin(slot); table.End(slot, index) }
	for i := range uint64(50) {
		change(500, 2+i)
	}
	if got := v.Preserved(); got != 128 {
		t.Fatalf("%d bytes preserved for one record of 128", got)
	}
	if err := v.Pages(func(p Page) error {
		if p.Number == 7 {
			change(3, 60)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := v.Preserved(); got != 128 {
		t.Fatalf("%d bytes preserved after a change on a page already read", got)
	}
	v.Close()
	change(4, 61)
	if len(s.views) != 0 {
		t.Fatal("a closed view is still preserved for")
	}
}

// TestDigestSeesEverything flips every byte of a record in turn: the recomputed digest must differ each time.
func TestDigestSeesEverything(t *testing.T) {
	r := newRig()
	for i := range uint64(9) {
		slot, rec := r.table.Append(1)
		r.write(rec, i)
		r.table.End(slot, 1)
	}
	want := r.space.Digest()
	for i := range r.table.st.size {
		r.table.Get(8)[i] ^= 1
		if r.space.RecomputeDigest() == want {
			t.Fatalf("byte %d of a record is not covered", i)
		}
		r.table.Get(8)[i] ^= 1
	}
	a, b := bytes.Clone(r.table.Get(1)), bytes.Clone(r.table.Get(2))
	copy(r.table.Get(1), b)
	copy(r.table.Get(2), a)
	if r.space.RecomputeDigest() == want {
		t.Fatal("two records changed places unseen")
	}
}

func TestLoadRefusesWhatIsNotAState(t *testing.T) {
	full := func() *rig {
		r := newRig()
		for range 10 {
			pos, rec := r.queue.Append(3)
			r.write(rec, pos)
			r.queue.End(pos, 3)
		}
		return r
	}
	pages := func() (ps []Page) {
		r := full()
		_ = r.space.View(&sync.Mutex{}).Pages(func(p Page) error {
			p.Data = bytes.Clone(p.Data)
			ps = append(ps, p)
			return nil
		})
		return ps
	}
	for name, tc := range map[string]func(ps []Page) []Page{
		"unknown table":  func(ps []Page) []Page { ps[0].Table = 9; return ps },
		"short page":     func(ps []Page) []Page { ps[0].Data = ps[0].Data[1:]; return ps },
		"missing page":   func(ps []Page) []Page { ps[1].Number = 5; return ps },
		"hole":           func(ps []Page) []Page { clear(ps[0].Data[2048:4096]); return ps },
		"empty page":     func(ps []Page) []Page { clear(ps[1].Data); return ps },
		"index too high": func(ps []Page) []Page { ps[0].Index = 1; return ps },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig()
			var err error
			for _, p := range tc(pages()) {
				if err = r.space.Load(p); err != nil {
					break
				}
			}
			if err == nil {
				err = r.space.Loaded(nil)
			}
			if !errors.Is(err, ErrLoad) {
				t.Fatalf("loaded: %v", err)
			}
		})
	}
}

func TestMisusePanics(t *testing.T) {
	for name, f := range map[string]func(r *rig){
		"digest while begun": func(r *rig) { r.table.Append(1); r.space.Digest() },
		"view while begun":   func(r *rig) { r.table.Append(1); r.space.View(&sync.Mutex{}) },
		"index falls":        func(r *rig) { r.table.Append(2); r.table.End(0, 2); r.table.Begin(0); r.table.End(0, 1) },
		"beyond the end":     func(r *rig) { r.table.Get(0) },
		"declared twice":     func(r *rig) { r.space.Table(1, 16) },
		"odd size":           func(r *rig) { r.space.Table(3, 17) },
		"drop of nothing":    func(r *rig) { r.queue.DropHead(1) },
		"index at the view's": func(r *rig) {
			r.table.Append(1)
			r.table.End(0, 1)
			r.space.View(&sync.Mutex{})
			for range 2 {
				r.table.Begin(0)
				r.table.End(0, 1)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Fatal("no panic")
				}
			}()
			f(newRig())
		})
	}
}

// TestViewOf: it shows one table as it was pinned, keeps nothing of the other, and both go on beside a view of all.
func TestViewOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRig()
		for range rapid.IntRange(0, 30).Draw(t, "steps before") {
			r.step(t)
		}
		r.index++
		want := r.model.clone()
		all, table := r.space.View(&sync.Mutex{}), r.space.ViewOf(&sync.Mutex{}, 1)
		for range rapid.IntRange(0, 30).Draw(t, "steps after") {
			r.step(t)
		}
		if of := table.stores[1]; of.kept != nil {
			t.Fatalf("%d records of the other table are kept", of.kept.count)
		}
		slot := uint64(0)
		err := table.Pages(func(p Page) error {
			if p.Table != 1 {
				t.Fatalf("a page of table %d", p.Table)
			}
			for at := 0; at+p.RecordSize <= Size && slot < want.length; at += p.RecordSize {
				if !bytes.Equal(p.Data[at:at+p.RecordSize], want.records[0][slot]) {
					t.Fatalf("slot %d differs", slot)
				}
				slot++
			}
			return nil
		})
		if err != nil || slot != want.length {
			t.Fatalf("%d records, want %d, %v", slot, want.length, err)
		}
		table.Close()
		all.Close()
	})
}
