package ledger

import (
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/planted"
)

// idQueue is a queue of operation id records: that of operations that took effect, or one bucket of refused ones.
type idQueue struct {
	*page.Queue
	index  *page.Index // of live records, by key
	prefix uint64      // of its locators
	bits   uint        // of a position in its locators: enough to tell live records apart, see page.Unwrap
	max    uint64      // records, by the budget
	ahead  uint64      // records flagged recordAhead
	dirty  bool        // its own record has to be written
}

func (q *idQueue) locator(pos uint64) uint64 { return q.prefix | pos&(1<<q.bits-1) }

func (q *idQueue) at(locator uint64) record {
	return q.Get(page.Unwrap(q.Head(), locator&(1<<q.bits-1), q.bits))
}

// indexed reports whether the index has this very locator: whether the record is the newest of its kind for its id.
func (q *idQueue) indexed(hash, at uint64) bool {
	_, ok := q.index.Find(hash, func(locator uint64) bool { return locator == at })
	return ok
}

func bucketOf(cell uint16) int { return int(cell / cellsPerBucket) }

// Records dropped at most for each record added: enough for a queue over its budget to shrink, and a bound on the work
// that one operation causes.
const (
	dropsPerDone    = 2
	dropsPerRefused = 4
)

// rememberDone records that the member's operation took effect.
func (s *State) rememberDone(m *member, kind Kind, res *Result, keep int64) {
	if m.hasPrior {
		s.byRefusedKey.Delete(m.hash, m.prior)
	}
	at := s.append(&s.done, m, kind, res, keep, 0, 0)
	s.byKey.Insert(m.hash, at)
}

// rememberRefused records a refusal in the bucket of the unit's cell, in place of what it was known by before.
func (s *State) rememberRefused(m *member, kind Kind, res *Result, keep int64, exact bool) {
	if planted.In(planted.ForgetRefusals) {
		return
	}
	cell, flags, prior, has := s.work.cell(), byte(0), m.prior, m.hasPrior
	if exact {
		flags, prior, has = recordExact, m.priorExact, m.hasPriorExact
		s.meta.exactCount++
	}
	at := s.append(&s.refused[bucketOf(cell)], m, kind, res, keep, cell, flags)
	if !has || !s.byRefusedKey.Replace(m.hash, prior, at) {
		s.byRefusedKey.Insert(m.hash, at)
	}
}

func (s *State) append(q *idQueue, m *member, kind Kind, res *Result, keep int64, cell uint16, flags byte) (locator uint64) {
	if keep > s.meta.logTime {
		flags |= recordAhead
		q.ahead++
	}
	pos, rec := q.Append(s.index)
	record(rec).put(m, kind, res, keep, cell, flags)
	q.End(pos, s.index)
	q.dirty = true
	return q.locator(pos)
}

// trim drops what is forgotten from the head of a queue and, over its budget, moves the horizon so far that more is.
// steps bounds the work.
func (s *State) trim(q *idQueue, steps int) {
	for ; steps > 0 && q.Len() > 0; steps-- {
		pos := q.Head()
		r, at, over := record(q.Get(pos)), q.locator(pos), q.Len() > q.max
		if !over && r.applied() && !r.ahead() && !s.forgotten(r) {
			return // as nearly always
		}
		hash := q.index.Hash(r.key())
		switch {
		case s.forgotten(r):
		case !r.applied() && !q.indexed(hash, at): // a later attempt took its place
		case s.mustCarry(q, r, over):
			s.carry(q, r, hash, at)
			if !over {
				return
			}
			continue
		case !over:
			return
		default:
			s.moveHorizon(r)
		}
		q.index.Delete(hash, at)
		s.drop(q, r)
	}
}

func (s *State) drop(q *idQueue, r record) {
	if r.exact() {
		s.meta.exactCount--
	}
	if r.ahead() {
		q.ahead--
	}
	q.DropHead(s.index)
	q.dirty = true
}

// mustCarry: a record whose time lies ahead cannot be forgotten without refusing everything else until that time. It
// goes round in its queue instead, unless such records fill half of it: then safety comes first, and the horizon does
// move ahead of log time. Admission bounds how far, see MaxIssuedAhead. Where there is no lack of room, only those that
// would keep the queue's head in place for more than a minute go round.
func (s *State) mustCarry(q *idQueue, r record, over bool) bool {
	if !r.ahead() || q.ahead*2 > q.max {
		return false
	}
	ahead := r.keep() - s.meta.logTime
	return ahead > maxAhead || over && ahead > 0
}

// carry moves the head record to the tail.
func (s *State) carry(q *idQueue, r record, hash, at uint64) {
	pos, rec := q.Append(s.index)
	copy(rec[8:], r[8:])
	q.End(pos, s.index)
	q.index.Replace(hash, at, q.locator(pos))
	q.DropHead(s.index)
	q.dirty = true
}

// moveHorizon makes a record forgotten. For a refusal that is the horizon of its cell alone, so that a flood of refusals
// shortens the memory of the accounts that were refused, and of no others.
func (s *State) moveHorizon(r record) {
	to := after(r.keep())
	if r.applied() {
		s.meta.horizon = max(s.meta.horizon, to)
		return
	}
	cell := uint64(r.cell())
	rec := s.cells.Begin(cell)
	putI64(rec[8:], max(i64(rec[8:]), to))
	s.cells.End(cell, s.index)
	s.meta.cellMax = max(s.meta.cellMax, to)
}

// rebuildKeys indexes the records that are not forgotten: of each id the newest normal record, and of each payload the
// newest exact one. Those of one id and payload are in one queue in order; only the last can have taken effect.
func (s *State) rebuildKeys(pause *pacer) error {
	for b := range s.refused {
		q := &s.refused[b]
		for pos := q.Head(); pos < q.Tail(); pos++ {
			if err := pause.next(); err != nil {
				return err
			}
			r := record(q.Get(pos))
			if r.applied() || r.cell() >= cellCount || bucketOf(r.cell()) != b {
				return stateError("the id at position %d of bucket %d has code %d and cell %d", pos, b, r.code(), r.cell())
			}
			if !s.forgotten(r) {
				s.rebuildRefused(r, q.locator(pos))
			}
		}
	}
	s.byKey = s.byRefusedKey.Alike(s.done.Len())
	s.done.index = s.byKey
	for pos := s.done.Head(); pos < s.done.Tail(); pos++ {
		if err := pause.next(); err != nil {
			return err
		}
		r := record(s.done.Get(pos))
		if !r.applied() {
			return stateError("the id at position %d of those that took effect has code %d", pos, r.code())
		}
		if s.forgotten(r) {
			continue
		}
		s.byKey.Insert(s.byKey.Hash(r.key()), s.done.locator(pos))
		if p, hash := s.probeRecord(r); p.normal != nil {
			s.byRefusedKey.Delete(hash, p.normalAt)
		}
	}
	return nil
}

func (s *State) rebuildRefused(r record, at uint64) {
	p, hash := s.probeRecord(r)
	switch {
	case r.exact() && p.exact != nil:
		s.byRefusedKey.Replace(hash, p.exactAt, at)
	case !r.exact() && p.normal != nil:
		s.byRefusedKey.Replace(hash, p.normalAt, at)
	default:
		s.byRefusedKey.Insert(hash, at)
	}
}

func (s *State) probeRecord(r record) (p probe, hash uint64) {
	k := key{b: [16]byte(r.key()), how: r[offHow]}
	p = probe{s: s, key: &k, payload: r.payload()}
	hash = s.byRefusedKey.Hash(r.key())
	s.byRefusedKey.Find(hash, p.sameRefused)
	return p, hash
}

// Operation tells what became of the newest attempt of an operation id: the answer that it got, as a replay. False: the
// id is not remembered; see SureHorizon for what follows from that.
func (s *State) Operation(id []byte) (Result, bool) {
	k := keyOf(id)
	p := probe{s: s, key: &k}
	s.byKey.Find(s.byKey.Hash(k.b[:]), p.sameDone)
	if p.done != nil {
		return p.done.result(), true
	}
	// Without a normal record the newest exact one tells at least that the id was refused.
	var normal, exact record
	s.byRefusedKey.Find(s.byRefusedKey.Hash(k.b[:]), func(locator uint64) bool {
		switch r := s.refusedAt(locator); {
		case !r.matches(&k) || s.forgotten(r):
		case !r.exact():
			normal = r
		case exact == nil || r.newer(exact):
			exact = r
		}
		return normal != nil
	})
	if normal == nil {
		normal = exact
	}
	if normal == nil {
		return Result{}, false
	}
	return normal.result(), true
}
