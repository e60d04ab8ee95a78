package ledger

import (
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"slices"
	"sort"
	"sync"
)

// AccountQuery selects accounts for a listing.
type AccountQuery struct {
	Prefix        string // only ids that begin with it
	Ledger        string // only of this ledger; empty: all
	After         string // only ids that sort after it
	Limit         int    // at most so many, 1 or more
	IncludeSystem bool
}

// scanMax bounds the accounts that one call of Accounts looks at, wanted or not.
const scanMax = 20_000

// Accounts lists accounts in order of id (by bytes). next is empty at the end of the list; else the list goes on after
// next, and there may be fewer accounts than the limit: the call has looked at enough for one hold of the lock. Call
// PrepareListing before, until it is true, or this call does all of that work.
func (s *State) Accounts(q AccountQuery) (accounts []Account, next string) {
	for !s.PrepareListing() {
	}
	s.listing.mu.Lock()
	runs := slices.Clone(s.listing.runs)
	s.listing.mu.Unlock()

	only, hasOnly := s.ledgerSlots[q.Ledger]
	if q.Ledger != "" && !hasOnly {
		return nil, ""
	}
	m := s.merge(runs, q)
	for scanned := 0; m.Len() > 0; scanned++ {
		rec := s.accounts.Get(uint64(m.cursors[0][0]))
		id := accountID(rec)
		if !bytes.HasPrefix(id, []byte(q.Prefix)) {
			return accounts, ""
		}
		if len(accounts) == q.Limit || scanned == scanMax {
			return accounts, next
		}
		a := decodeAccount(rec)
		if (q.Ledger == "" || a.ledger == only) && (q.IncludeSystem || a.flags&flagSystem == 0) {
			found, _ := s.AccountBySlot(m.cursors[0][0])
			accounts = append(accounts, found)
		}
		next = string(id)
		m.advance()
	}
	return accounts, ""
}

// listing is the order of ids: runs of slots, each sorted by id. Ids never change and accounts are never removed, so a
// run stays right for ever; new accounts only add to the last run. It costs 4 bytes an account, is built when somebody
// lists, and has a lock of its own because readers build it side by side.
type listing struct {
	mu      sync.Mutex
	runs    [][]uint32 // immutable; all but the last have runMax slots
	covered uint64     // slots below are in runs
}

// runMax is how many slots are sorted at a time, a few milliseconds of work.
const runMax = 1 << 14

// PrepareListing sorts up to runMax new accounts into the listing; true when none are left. It needs shared access only,
// and is meant to be called again and again, giving the lock back in between.
func (s *State) PrepareListing() bool {
	l := &s.listing
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.covered == s.accounts.Len() {
		return true
	}
	first := l.covered / runMax * runMax
	end := min(first+runMax, s.accounts.Len())
	run := s.sortedRun(first, end)
	if first < l.covered { // the last run was not full: replace it
		l.runs = append(slices.Clone(l.runs[:len(l.runs)-1]), run)
	} else {
		l.runs = append(slices.Clone(l.runs), run)
	}
	l.covered = end
	return end == s.accounts.Len()
}

func (s *State) sortedRun(first, end uint64) []uint32 {
	type item struct {
		head uint64 // first 8 bytes of the id: most comparisons need no more
		slot uint32
	}
	items := make([]item, 0, end-first)
	for slot := first; slot < end; slot++ {
		rec := s.accounts.Get(slot) // behind the id there are zeros: a shorter id sorts first
		items = append(items, item{binary.BigEndian.Uint64(rec[64:]), uint32(slot)})
	}
	slices.SortFunc(items, func(a, b item) int {
		if c := cmp.Compare(a.head, b.head); c != 0 {
			return c
		}
		return bytes.Compare(s.idAt(a.slot), s.idAt(b.slot))
	})
	run := make([]uint32, len(items))
	for i := range items {
		run[i] = items[i].slot
	}
	return run
}

func (s *State) idAt(slot uint32) []byte { return accountID(s.accounts.Get(uint64(slot))) }

// merged is a heap of what is left of each run, by its first id.
type merged struct {
	s       *State
	cursors [][]uint32
}

// merge starts each run at the first id wanted.
func (s *State) merge(runs [][]uint32, q AccountQuery) *merged {
	m := &merged{s: s}
	prefix, behind := []byte(q.Prefix), []byte(q.After)
	for _, run := range runs {
		i := sort.Search(len(run), func(i int) bool {
			id := s.idAt(run[i])
			return bytes.Compare(id, prefix) >= 0 && (len(behind) == 0 || bytes.Compare(id, behind) > 0)
		})
		if i < len(run) {
			m.cursors = append(m.cursors, run[i:])
		}
	}
	heap.Init(m)
	return m
}

func (m *merged) advance() {
	if rest := m.cursors[0][1:]; len(rest) > 0 {
		m.cursors[0] = rest
		heap.Fix(m, 0)
		return
	}
	heap.Pop(m)
}

// Len, Less, Swap, Push and Pop are heap.Interface.
func (m *merged) Len() int { return len(m.cursors) }

func (m *merged) Less(i, j int) bool {
	return bytes.Compare(m.s.idAt(m.cursors[i][0]), m.s.idAt(m.cursors[j][0])) < 0
}
func (m *merged) Swap(i, j int) { m.cursors[i], m.cursors[j] = m.cursors[j], m.cursors[i] }
func (m *merged) Push(x any)    { m.cursors = append(m.cursors, x.([]uint32)) }

func (m *merged) Pop() any {
	last := m.cursors[len(m.cursors)-1]
	m.cursors = m.cursors[:len(m.cursors)-1]
	return last
}
