package journal

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ballastdb/ballast/internal/vfs"
)

// model is a journal beside what it should hold.
type model struct {
	*rapid.T
	fsys *vfs.Mem
	j    *Journal
	h    *history
	held []bool // by sequence number - 1
	past int    // other histories that it was placed in: none is like one before
}

// TestAgainstModel does everything that may be done to a journal, in any order, and compares it with a slice.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{T: t, fsys: vfs.NewMem(), h: &history{}}
		m.reopen(t)
		defer func() { _ = m.j.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"append": m.append, "sync": func(t *rapid.T) { m.must(m.j.Sync()) }, "truncate": m.truncate, "place": m.place,
			"fill": m.fill, "reopen": m.reopen, "": m.check,
		})
	})
}

func (m *model) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *model) reopen(*rapid.T) {
	if m.j != nil {
		m.must(m.j.Close())
	}
	j, err := Open(Config{Dir: "/journal", FS: m.fsys, Format: testFormat{}, SegmentBytes: testSegment})
	m.must(err)
	m.j = j
}

func (m *model) append(t *rapid.T) {
	from := m.h.end().Sequence
	for range rapid.IntRange(0, 60).Draw(t, "entries") {
		m.h.add(rapid.SliceOfN(rapid.Byte(), 0, testMax-testHead).Draw(t, "payload"))
		m.held = append(m.held, true)
	}
	m.must(m.h.append(m.j, from, m.h.end().Sequence))
}

// truncate cuts anywhere but within a hole.
func (m *model) truncate(t *rapid.T) {
	n := rapid.Uint64Range(0, m.h.end().Sequence).Draw(t, "sequence")
	pos := m.h.at(n)
	between := n > 0 && !m.held[n-1] && (n == m.h.end().Sequence || !m.held[n])
	if held, err := m.j.Holds(pos); err != nil || held == (between && !m.beginsSegment(pos)) {
		t.Fatalf("it holds %+v: %v, %v", pos, held, err)
	} else if !held {
		if err := m.j.Truncate(n, pos.Bytes); !errors.Is(err, ErrMissing) {
			t.Fatalf("cut within a hole: %v", err)
		}
		return
	}
	m.must(m.j.Truncate(n, pos.Bytes))
	m.h.cut(n)
	m.held = m.held[:n:n]
}

// beginsSegment: an empty segment lies behind a hole that goes to the end.
func (m *model) beginsSegment(pos Position) bool {
	return slices.ContainsFunc(m.j.segments, func(s *segment) bool { return s.from() == pos })
}

// place goes on at a position: further on, within what is here, or in another history.
func (m *model) place(t *rapid.T) {
	switch rapid.SampledFrom([]string{"further", "back", "another history"}).Draw(t, "where") {
	case "further":
		m.h.grow(rapid.IntRange(0, 60).Draw(t, "entries"))
	case "back":
		m.h.cut(rapid.Uint64Range(0, m.h.end().Sequence).Draw(t, "sequence"))
	default:
		was := m.h.end().Sequence
		m.h = &history{}
		m.past++
		m.h.add(fmt.Appendf(nil, "another history %d", m.past))
		m.h.grow(rapid.IntRange(0, int(was)).Draw(t, "entries"))
		if m.h.end().Sequence > was || !m.heldAt(m.h.end().Sequence) {
			m.h = &history{} // nothing here tells that it is another one: see Distrust
		}
		m.held = nil
	}
	n := m.h.end().Sequence
	m.must(m.j.Place(m.h.end()))
	m.held = m.held[:min(uint64(len(m.held)), n):min(uint64(len(m.held)), n)]
	for uint64(len(m.held)) < n {
		m.held = append(m.held, false)
	}
}

// heldAt reports whether the journal knows where entry n ends.
func (m *model) heldAt(n uint64) bool { return n > 0 && m.held[n-1] }

// fill fills a part of a hole, or all of it, in one go or several.
func (m *model) fill(t *rapid.T) {
	holes := m.j.Holes()
	if len(holes) == 0 {
		return
	}
	hole := rapid.SampledFrom(holes).Draw(t, "hole")
	for round := range 3 {
		f, err := m.j.Fill(hole)
		m.must(err)
		at, until := f.At(), hole.Until.Sequence
		if round < 2 {
			until = rapid.Uint64Range(at.Sequence, until).Draw(t, "until")
		}
		m.must(f.Write(m.h.bytes[at.Bytes:m.h.at(until).Bytes]))
		if until < hole.Until.Sequence {
			if err := f.Commit(); err == nil {
				t.Fatal("a part of a hole was made part of the journal")
			}
			m.must(f.Close())
			if rapid.Bool().Draw(t, "opened again between") {
				m.reopen(t)
			}
			continue
		}
		m.must(f.Commit())
		m.must(f.Close())
		for seq := hole.After.Sequence; seq < hole.Until.Sequence; seq++ {
			m.held[seq] = true
		}
		return
	}
}

func (m *model) check(t *rapid.T) {
	checkHeld(m.T, m.j, m.h)
	held := make([]bool, len(m.held))
	for i := range held {
		held[i] = true
	}
	for _, hole := range m.j.Holes() {
		for seq := hole.After.Sequence; seq < hole.Until.Sequence; seq++ {
			held[seq] = false
		}
	}
	if !slices.Equal(held, m.held) {
		t.Fatalf("it has the entries %v, want %v", held, m.held)
	}
}
