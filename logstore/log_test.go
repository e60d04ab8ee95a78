package logstore

import (
	"bytes"
	"errors"
	"os"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"pgregory.net/rapid"
)

// model is what a log should hold.
type model struct {
	first, last   uint64 // 0, 0: empty
	terms         map[uint64]uint64
	applied       uint64
	mark, markTrm uint64

	// told is what the store is told of it, also in the background.
	told atomic.Pointer[told]
}

// told is what a store asks for.
type told struct{ applied, mark, markTrm uint64 }

func (m *model) tell() { m.told.Store(&told{m.applied, m.mark, m.markTrm}) }

func (m *model) hooks() Hooks {
	m.tell()
	return Hooks{
		Applied: func() uint64 { return m.told.Load().applied },
		Snapshot: func() (uint64, uint64) {
			t := m.told.Load()
			return t.mark, t.markTrm
		},
	}
}

func (m *model) append(term, count uint64) []*raft.Log {
	low := max(m.last, m.mark) + 1
	if m.last == 0 {
		m.first = low
	}
	logs := entriesOf(term, low, low+count-1)
	for _, log := range logs {
		m.terms[log.Index] = term
	}
	m.last = low + count - 1
	return logs
}

// require compares all of a store with the model.
func (m *model) require(t *rapid.T, s *Store) {
	first, last := s.bounds()
	if first != m.first || last != m.last {
		t.Fatalf("expected the log %d to %d, found %d to %d", m.first, m.last, first, last)
	}
	for index := uint64(0); index <= m.last+3; index++ {
		var log raft.Log
		err := s.GetLog(index, &log)
		switch {
		case m.last > 0 && m.first <= index && index <= m.last:
			if err != nil || log.Index != index || log.Term != m.terms[index] || !bytes.Equal(log.Data, []byte{byte(index)}) {
				t.Fatalf("entry %d: expected term %d, found %+v, %v", index, m.terms[index], log, err)
			}
		case index > 1 && index == m.mark && (m.last == 0 || m.first == index+1):
			if err != nil || log.Term != m.markTrm || log.Type != raft.LogNoop {
				t.Fatalf("the snapshot's entry %d: expected term %d, found %+v, %v", index, m.markTrm, log, err)
			}
		case !errors.Is(err, raft.ErrLogNotFound):
			t.Fatalf("entry %d: expected none, found %+v, %v", index, log, err)
		}
	}
}

// TestLogBehavesLikeItsModel: whatever raft stores and deletes for each of its reasons, and whenever the store is opened
// again or sweeps up, either kind of log holds what it should, and nothing else is seen of it.
func TestLogBehavesLikeItsModel(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		rapid.Check(t, func(rt *rapid.T) {
			// raft-wal sets 64 MiB aside for each segment.
			dir := t.TempDir()
			defer os.RemoveAll(dir)
			m := &model{terms: map[uint64]uint64{}}
			open := func() *Store {
				s, err := Open(Options{Dir: dir, Kind: kind, Logger: hclog.NewNullLogger(), Fatal: func(err error) { rt.Errorf("fatal: %v", err) }})
				if err != nil {
					rt.Fatal(err)
				}
				s.Attach(m.hooks())
				return s
			}
			check := func(err error) {
				if err != nil {
					rt.Fatal(err)
				}
			}
			s := open()
			defer func() { check(s.Close()) }()
			term := uint64(1)
			rt.Repeat(map[string]func(*rapid.T){
				"append": func(t *rapid.T) {
					check(s.StoreLogs(m.append(term, rapid.Uint64Range(1, 40).Draw(t, "count"))))
				},
				"apply": func(t *rapid.T) {
					if m.applied < m.last {
						m.applied = rapid.Uint64Range(m.applied, m.last).Draw(t, "applied")
						m.tell()
					}
				},
				"snapshot": func(t *rapid.T) {
					if m.mark < m.applied && m.applied >= m.first && m.applied <= m.last {
						low := max(m.mark+1, m.first)
						m.mark = rapid.Uint64Range(low, m.applied).Draw(t, "mark")
						m.markTrm = m.terms[m.mark]
						m.tell()
					}
				},
				"raft compacts": func(t *rapid.T) {
					if m.last == 0 || m.applied < m.first {
						return
					}
					to := rapid.Uint64Range(m.first, m.applied).Draw(t, "to")
					check(s.DeleteRange(m.first, to))
					if m.mark > m.first {
						m.first = max(m.first, min(to+1, m.mark))
					}
				},
				"conflict": func(t *rapid.T) {
					low := max(m.applied+1, m.first)
					if m.last < low || m.last == 0 {
						return
					}
					from := rapid.Uint64Range(low, m.last).Draw(t, "from")
					check(s.DeleteRange(from, m.last))
					term++
					m.last = from - 1
					if from == m.first {
						m.first, m.last = 0, 0
					}
				},
				"install": func(t *rapid.T) {
					m.mark = max(m.last, m.mark) + rapid.Uint64Range(1, 50).Draw(t, "beyond")
					m.applied, m.markTrm = m.mark, term
					m.tell()
					// As raft does it, which knows the log's end.
					if m.last > 0 {
						check(s.DeleteRange(m.first, m.last))
					}
					m.first, m.last = 0, 0
				},
				"sweep": func(*rapid.T) {
					_, err := s.sweep()
					check(err)
				},
				"open again": func(*rapid.T) {
					check(s.Close())
					s = open()
				},
				"": func(t *rapid.T) { m.require(t, s) },
			})
		})
	})
}

// TestNothingBelowTheFirstEntry: what was deleted is not there any more, although raft-wal still has it in its file.
func TestNothingBelowTheFirstEntry(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		s := openTest(t, t.TempDir(), kind)
		defer s.Close()
		must(t, s.StoreLogs(entries(1, 20)))
		must(t, s.DeleteRange(1, 9))
		requireBounds(t, s, 10, 20)
		if err := s.GetLog(9, new(raft.Log)); !errors.Is(err, raft.ErrLogNotFound) {
			t.Errorf("entry 9 was deleted: expected %v, found %v", raft.ErrLogNotFound, err)
		}
	})
}

// TestHoleIsRefused: neither kind of log takes an entry that does not follow.
func TestHoleIsRefused(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		s := openTest(t, t.TempDir(), kind)
		defer s.Close()
		must(t, s.StoreLogs(entries(5, 7)))
		for _, logs := range [][]*raft.Log{entries(9, 9), entries(7, 8), {entries(8, 8)[0], entries(10, 10)[0]}} {
			if err := s.StoreLogs(logs); err == nil {
				t.Errorf("entry %d was stored behind 7", logs[len(logs)-1].Index)
			}
		}
		requireBounds(t, s, 5, 7)
		must(t, s.StoreLogs(entries(8, 8)))
	})
}
