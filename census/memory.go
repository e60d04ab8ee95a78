package census

import (
	"maps"
	"slices"
	"sync"
)

// Memory is what a member remembers of the others, for as long as they are members. The zero value is not usable: NewMemory. Its methods may be
// called from several goroutines.
type Memory struct {
	mu    sync.Mutex
	facts map[string]Fact // by server id
	dirty bool
}

// NewMemory remembers what was kept, by server id.
func NewMemory(kept map[string]Fact) *Memory {
	m := &Memory{facts: maps.Clone(kept)}
	if m.facts == nil {
		m.facts = map[string]Fact{}
	}
	return m
}

// Hear tells what is remembered of a member that says something of itself, nil: nothing; then it remembers the most of both, unless
// what it says contradicts what is remembered.
func (m *Memory) Hear(said Self) *Fact {
	m.mu.Lock()
	defer m.mu.Unlock()
	before, known := m.facts[said.ID]
	if !known {
		m.facts[said.ID], m.dirty = said.Fact, true
		return nil
	}
	if Contradicts(said, before) {
		return &before
	}
	after := said.Fact
	after.Term, after.Applied = max(after.Term, before.Term), max(after.Applied, before.Applied)
	m.dirty = m.dirty || after != before
	m.facts[said.ID] = after
	return &before
}

// Boots is how often a member said that its data directory was opened; 0: it was not heard.
func (m *Memory) Boots(id string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.facts[id].Boots
}

// Keep hands keep what is remembered of members, if it changed since the last time that keep succeeded. Others are forgotten.
func (m *Memory) Keep(members []string, keep func(map[string]Fact) error) error {
	m.mu.Lock()
	before := len(m.facts)
	maps.DeleteFunc(m.facts, func(id string, _ Fact) bool { return !slices.Contains(members, id) })
	changed := m.dirty || len(m.facts) != before
	facts := maps.Clone(m.facts)
	m.dirty = false
	m.mu.Unlock()
	if !changed {
		return nil
	}
	err := keep(facts)
	if err != nil {
		m.mu.Lock()
		m.dirty = true
		m.mu.Unlock()
	}
	return err
}
