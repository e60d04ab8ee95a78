package ledger

import (
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/page"
)

// State is the books at one log index.
type State struct {
	space     *page.Space
	metas     *page.Table
	sets      *page.Table
	ledgers   *page.Table
	accounts  *page.Table
	queues    *page.Table
	cells     *page.Table
	holds     holdBook
	velocity  velocityBook
	reversals reversalBook
	low       lowBook
	topUps    topUpBook
	policies  policyBook
	done      idQueue
	refused   [bucketCount]idQueue

	// Decoded copies of records; written back by flush.
	meta     meta
	settings Settings

	// Derived from the records, and so the same after Rebuild.
	byID         *page.Index // accounts
	byKey        *page.Index // ids of operations that took effect
	byRefusedKey *page.Index // ids of refused ones: live records only; it hashes as byKey does
	ledgerSlots  map[string]uint32
	listing      listing

	index uint64 // of the call in progress
	work  work
}

// ErrState is wrapped by the errors of Rebuild: the pages are not those of a ledger state that this version reads.
var ErrState = errors.New("not a ledger state")

// New makes an empty state.
func New() *State {
	s := &State{space: page.NewSpace()}
	s.metas = s.space.Table(tableMeta, metaBytes)
	s.sets = s.space.Table(tableSettings, settingsBytes)
	s.ledgers = s.space.Table(tableLedgers, ledgerBytes)
	s.accounts = s.space.Table(tableAccounts, accountBytes)
	s.queues = s.space.Table(tableQueues, queueBytes)
	s.cells = s.space.Table(tableCells, cellBytes)
	s.holds.table = s.space.Table(tableHolds, holdBytes)
	s.velocity.table = s.space.Table(tableVelocity, velocityBytes)
	s.reversals.table = s.space.Table(tableReversal, reversalBytes)
	s.low.table = s.space.Table(tableLow, lowBytes)
	s.topUps.table = s.space.Table(tableTopUps, topUpBytes)
	s.policies.table = s.space.Table(tablePolicies, policyBytes)
	s.done = idQueue{Queue: s.space.Queue(tableDone, operationBytes), bits: donePosBits}
	for b := range s.refused {
		s.refused[b] = idQueue{
			Queue: s.space.Queue(uint8(tableRefused+b), operationBytes),
			bits:  bucketPosBits, prefix: uint64(b) << bucketPosBits,
		}
	}
	s.forgetDerived()
	s.setSettings(DefaultSettings())
	return s
}

func (s *State) forgetDerived() {
	s.byID, s.byKey = page.NewIndex(), page.NewIndex()
	s.byRefusedKey = s.byKey.Alike(0)
	s.ledgerSlots = map[string]uint32{}
	s.listing = listing{}
	s.holds.forgetDerived()
	s.topUps.forgetDerived()
	s.policies.forgetDerived()
	s.velocity.byUser, s.reversals.byOf, s.low.byUser = map[uint32]uint32{}, page.NewIndex(), page.NewIndex()
	s.done.index = s.byKey
	for b := range s.refused {
		s.refused[b].index = s.byRefusedKey
	}
}

// queue is the i-th queue of ids in the order of their records: done, then the buckets.
func (s *State) queue(i int) *idQueue {
	if i == 0 {
		return &s.done
	}
	return &s.refused[i-1]
}

func (s *State) setSettings(v Settings) {
	s.settings = v
	done, bucket := v.limits()
	s.done.max = done
	for b := range s.refused {
		s.refused[b].max = bucket
	}
}

// Space is the pages of the state, for the digest, views and loading.
func (s *State) Space() *page.Space { return s.space }

// begin starts a call: the records that every state has are made by the first one, and log time moves.
func (s *State) begin(index uint64, now int64) {
	s.index = index
	if s.metas.Len() == 0 {
		s.found()
	}
	s.meta.logTime = max(s.meta.logTime, now)
	s.meta.horizon = max(s.meta.horizon, s.meta.logTime-int64(s.settings.IDWindow))
}

// found makes the records of an empty state: meta, settings, queues and cells. The settings that a store is founded
// with are part of it: a later version with other defaults must not change them here.
func (s *State) found() {
	for _, t := range []struct {
		table *page.Table
		n     int
	}{{s.metas, 1}, {s.sets, 1}, {s.queues, bucketCount + 1}, {s.cells, cellCount}} {
		for range t.n {
			slot, _ := t.table.Append(s.index)
			t.table.End(slot, s.index)
		}
	}
	s.settings.encode(s.sets.Begin(0))
	s.sets.End(0, s.index)
}

// flush ends a call: it writes back what is kept decoded, where it changed.
func (s *State) flush() {
	var want [metaBytes]byte
	s.meta.encode(want[:])
	if string(s.metas.Get(0)[8:]) != string(want[8:]) {
		copy(s.metas.Begin(0)[8:], want[8:])
		s.metas.End(0, s.index)
	}
	for i := range bucketCount + 1 {
		q := s.queue(i)
		if !q.dirty {
			continue
		}
		q.dirty = false
		rec := s.queues.Begin(uint64(i))
		le.PutUint64(rec[8:], q.Head())
		le.PutUint64(rec[16:], q.Tail())
		le.PutUint64(rec[24:], q.ahead)
		s.queues.End(uint64(i), s.index)
	}
}

// Advance moves log time to max(its previous value, now): what a log entry without operations does.
func (s *State) Advance(index uint64, now int64) {
	s.begin(index, now)
	s.flush()
}

// SetSettings puts new settings in force. Where they are out of bounds only log time moves, and the error names the
// field. The horizon does not move back when the window or the budget grows; it moves forward with the next operations
// when they shrink.
func (s *State) SetSettings(index uint64, now int64, v Settings) error {
	err := v.Validate()
	s.begin(index, now)
	if err == nil && v != s.settings {
		s.setSettings(v)
		s.settings.encode(s.sets.Begin(0))
		s.sets.End(0, index)
		s.meta.horizon = max(s.meta.horizon, s.meta.logTime-int64(v.IDWindow))
	}
	s.flush()
	return err
}

// Rebuild derives everything that is not in pages, after pages were loaded. The error wraps ErrState, or is breathe's,
// which is called every breatheRecords records where it is not nil: see page.Breathe.
func (s *State) Rebuild(breathe page.Breathe) error {
	s.forgetDerived()
	if s.metas.Len() == 0 {
		return s.rebuildEmpty()
	}
	for _, t := range []struct {
		name  string
		table *page.Table
		want  uint64
	}{{"meta", s.metas, 1}, {"settings", s.sets, 1}, {"queues", s.queues, bucketCount + 1}, {"cells", s.cells, cellCount}} {
		if t.table.Len() != t.want {
			return stateError("table of %s has %d records, want %d", t.name, t.table.Len(), t.want)
		}
	}
	if v := le.Uint32(s.metas.Get(0)[8:]); v != stateFormat {
		return stateError("records are of format %d, this version reads %d: run the version that wrote them", v, stateFormat)
	}
	s.meta = decodeMeta(s.metas.Get(0))
	v := decodeSettings(s.sets.Get(0))
	if err := v.Validate(); err != nil {
		return stateError("settings: %v", err)
	}
	s.setSettings(v)
	pause := pacer{breathe: breathe}
	for _, step := range []func(*pacer) error{
		s.rebuildQueues, s.rebuildLedgers, s.rebuildAccounts, s.rebuildHolds, s.rebuildVelocity, s.rebuildReversals, s.rebuildLows,
		s.rebuildPolicies, s.rebuildTopUps, s.rebuildKeys,
	} {
		if err := step(&pause); err != nil {
			return err
		}
	}
	return nil
}

// breatheRecords is how many records are read between two calls of a Breathe.
const breatheRecords = 512

// pacer calls a Breathe once in breatheRecords calls of next.
type pacer struct {
	breathe page.Breathe
	n       int
}

func (p *pacer) next() error {
	if p.n++; p.n%breatheRecords != 0 || p.breathe == nil {
		return nil
	}
	return p.breathe()
}

func stateError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrState, fmt.Sprintf(format, args...))
}

func (s *State) rebuildEmpty() error {
	records := s.done.Len()
	for _, t := range []*page.Table{
		s.sets, s.ledgers, s.accounts, s.queues, s.cells, s.holds.table, s.velocity.table, s.reversals.table, s.low.table, s.topUps.table, s.policies.table,
	} {
		records += t.Len()
	}
	if records != 0 {
		return stateError("there are records but no meta record")
	}
	s.meta = meta{}
	for i := range bucketCount + 1 {
		s.queue(i).ahead = 0
	}
	s.setSettings(DefaultSettings())
	return nil
}

func (s *State) rebuildQueues(*pacer) error {
	for i := range bucketCount + 1 {
		rec, q := s.queues.Get(uint64(i)), s.queue(i)
		head, tail := le.Uint64(rec[8:]), le.Uint64(rec[16:])
		q.ahead = le.Uint64(rec[24:])
		if head == tail { // an empty queue leaves no page to tell its position
			if err := q.Reset(tail); err != nil {
				return stateError("queue %d: %v", i, err)
			}
		}
		if q.Head() != head || q.Tail() != tail {
			return stateError("queue %d holds positions %d to %d, its record says %d to %d", i, q.Head(), q.Tail(), head, tail)
		}
	}
	return nil
}

func (s *State) rebuildLedgers(*pacer) error {
	for slot := range s.ledgers.Len() {
		rec := s.ledgers.Get(slot)
		if rec[17] == 0 || rec[17] > MaxLedgerLen || rec[18] > MaxAssetLen || rec[16] > MaxScale {
			return stateError("ledger %d has lengths or a scale out of bounds", slot)
		}
		l := decodeLedger(rec)
		if uint64(max(l.credits, l.debits)) >= s.accounts.Len() {
			return stateError("ledger %q has system accounts %d and %d, there are %d accounts", l.name, l.credits, l.debits, s.accounts.Len())
		}
		s.ledgerSlots[string(l.name)] = uint32(slot)
	}
	return nil
}

// rebuildAhead is how many accounts are looked at before the first of them is indexed, so that the waits for memory, most of
// the time with millions of them, overlap.
const rebuildAhead = 64

func (s *State) rebuildAccounts(pause *pacer) error {
	n := s.accounts.Len()
	s.byID = page.NewSizedIndex(n)
	var hashes [rebuildAhead]uint64
	for first := uint64(0); first < n; first += rebuildAhead {
		group := hashes[:min(rebuildAhead, n-first)]
		loaded := uint64(0)
		for i := range group {
			if err := pause.next(); err != nil {
				return err
			}
			id, err := s.rebuildAccount(first + uint64(i))
			if err != nil {
				return err
			}
			group[i] = s.byID.Hash(id)
			loaded ^= *s.byID.Home(group[i])
		}
		s.work.loaded = loaded
		for i, hash := range group {
			s.byID.Insert(hash, first+uint64(i))
		}
	}
	return nil
}

func (s *State) rebuildHolds(pause *pacer) error { return s.holds.rebuild(s.accounts.Len(), pause) }

// rebuildAccount checks an account's record and answers its id.
func (s *State) rebuildAccount(slot uint64) ([]byte, error) {
	rec := s.accounts.Get(slot)
	if rec[63] == 0 || rec[63] > MaxAccountLen {
		return nil, stateError("account %d has an id of %d bytes", slot, rec[63])
	}
	if l := le.Uint32(rec[56:]); uint64(l) >= s.ledgers.Len() {
		return nil, stateError("account %q is of ledger %d, there are %d", accountID(rec), l, s.ledgers.Len())
	}
	return accountID(rec), nil
}

// LogTime is the newest time in the log, Unix nanoseconds; 0 in an empty state.
func (s *State) LogTime() int64 { return s.meta.logTime }

// Horizon is the time, Unix nanoseconds, before which ids of operations that took effect may have been forgotten: an
// operation issued earlier that is not known is refused as TOO_OLD. It never falls.
func (s *State) Horizon() int64 { return s.meta.horizon }

// SureHorizon is the newest horizon that any operation may meet, that of crowded refusals included, at least Horizon:
// an id issued at or after it that Operation does not know was never answered.
func (s *State) SureHorizon() int64 { return max(s.meta.horizon, s.meta.cellMax) }

// Sequence is the newest entry's sequence number, 0: there is none.
func (s *State) Sequence() uint64 { return s.meta.sequence }

// JournalHash is the hash of the chain of all entries.
func (s *State) JournalHash() page.Digest { return s.meta.journal }

// JournalBytes is the length of all entries.
func (s *State) JournalBytes() uint64 { return s.meta.bytes }

// Settings are the settings in force.
func (s *State) Settings() Settings { return s.settings }
