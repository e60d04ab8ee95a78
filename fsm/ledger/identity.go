package ledger

import (
	"math"
	"time"
)

// This file is the rule of DESIGN 3.2: at most one effect per operation id, and every answer is final.
//
// An id has at most one *normal* record, the answer to its newest attempt: it binds the id to one payload. A refusal
// that must not bind the id (a conflict: it is bound already; too early: its time may never come) is kept in an *exact*
// record instead, found by id and payload. Records live in queues: normal ones of operations that took effect in done,
// all others in the bucket of the cell of the account that they were refused for.
//
// A record is forgotten when its keep lies before the horizon: the state's, or for refusals the cell's, whichever is
// later. Horizons never fall, and keep is at least the operation's issued_at, so whoever comes back after that meets
// the same horizon and is TOO_OLD. Being forgotten does not wait for the record to be dropped from its queue: that is
// work put off, and no answer depends on it.

// maxAhead is how far ahead of log time an operation may be issued.
const maxAhead = int64(time.Minute)

// MaxIssuedAhead is how far ahead of its clock admission should let an operation be issued at all. The state refuses
// anything more than a minute ahead and has to remember that until its time has come.
const MaxIssuedAhead = time.Hour

// verdict is what is known of an operation before its effect is looked at.
type verdict uint8

const (
	fresh    verdict = iota // to be evaluated
	answered                // result is the stored answer
	rejected                // result has the code; see member.keepable
)

// member is one operation of the unit (a group, or one operation alone) that is being applied.
type member struct {
	key     key
	hash    uint64 // of the key, in byKey and byRefusedKey
	debit   lookup
	credit  lookup
	payload uint64
	verdict verdict
	result  Result
	// keepable: a rejection that must be recorded to be final.
	keepable bool
	// Locators of the refused records that a new one replaces.
	prior, priorExact       uint64
	hasPrior, hasPriorExact bool
}

func (s *State) refusedAt(locator uint64) record {
	return s.refused[locator>>bucketPosBits].at(locator)
}

func (s *State) cellHorizon(cell uint16) int64 { return i64(s.cells.Get(uint64(cell))[8:]) }

// refusedHorizon is the horizon of a cell's records.
func (s *State) refusedHorizon(cell uint16) int64 {
	if s.meta.cellMax <= s.meta.horizon {
		return s.meta.horizon
	}
	return max(s.meta.horizon, s.cellHorizon(cell))
}

// forgotten reports whether the record counts no more.
func (s *State) forgotten(r record) bool {
	if r.applied() {
		return r.keep() < s.meta.horizon
	}
	return r.keep() < s.refusedHorizon(r.cell())
}

// probe collects the records of an id that are not forgotten.
type probe struct {
	s       *State
	key     *key
	payload uint64

	done, normal, exact record // nil: none. normal and exact are refusals
	normalAt, exactAt   uint64 // their locators
}

func (p *probe) sameDone(locator uint64) bool {
	r := p.s.done.at(locator)
	if !r.matches(p.key) || p.s.forgotten(r) {
		return false
	}
	p.done = r
	return true
}

// sameRefused collects the normal record and the exact one of the payload; it is true when there can be no more.
func (p *probe) sameRefused(locator uint64) bool {
	r := p.s.refusedAt(locator)
	switch {
	case !r.matches(p.key) || p.s.forgotten(r):
		return false
	case !r.exact():
		p.normal, p.normalAt = r, locator
	case r.payload() == p.payload:
		p.exact, p.exactAt = r, locator
	}
	return p.normal != nil && (p.exact != nil || p.s.meta.exactCount == 0)
}

// judge finds what is known of the operation and sets the member's verdict.
func (s *State) judge(m *member, op *Operation) {
	p := probe{s: s, key: &m.key, payload: m.payload}
	s.byKey.Find(m.hash, p.sameDone)
	if s.byRefusedKey.Len() > 0 {
		s.byRefusedKey.Find(m.hash, p.sameRefused)
	}
	m.verdict, m.keepable = fresh, false
	m.prior, m.hasPrior = p.normalAt, p.normal != nil
	m.priorExact, m.hasPriorExact = p.exactAt, p.exact != nil
	if p.exact != nil && m.compareAttempt(op, p.exact) {
		return
	}
	known := p.done
	if known == nil {
		known = p.normal
	}
	switch {
	case known == nil || known.payload() != m.payload:
		s.judgeNew(m, op, known != nil)
	case m.compareAttempt(op, known):
	case known.applied():
		m.verdict, m.result = answered, known.result()
	}
}

// compareAttempt settles copies of the attempt that a record of the same payload answers, and of earlier ones.
func (m *member) compareAttempt(op *Operation, r record) bool {
	switch known := r.attempt(); {
	case op.Attempt == known:
		m.verdict, m.result = answered, r.result()
	case op.Attempt < known:
		m.reject(op, CodeSuperseded, false) // while the record lives, and TOO_OLD after: same payload, same issued_at
	default:
		return false
	}
	return true
}

// judgeNew judges an operation that nothing is known of. bound: its id is known with another payload. Too old comes
// first because it needs no record to be final, horizons never fall; the others must be recorded: what binds the id now
// may be forgotten, and time goes on.
func (s *State) judgeNew(m *member, op *Operation, bound bool) {
	switch {
	case op.IssuedAt < s.horizonOf(op):
		m.reject(op, CodeTooOld, false)
	case bound:
		m.reject(op, CodeConflict, true)
	case op.IssuedAt-s.meta.logTime > maxAhead:
		m.reject(op, CodeTooEarly, true)
	}
}

// horizonOf is the earliest time that an unknown operation of this unit may have been issued. The cell is computed only
// where it can matter.
func (s *State) horizonOf(op *Operation) int64 {
	if s.meta.cellMax <= s.meta.horizon || op.IssuedAt >= s.meta.cellMax {
		return s.meta.horizon
	}
	return s.refusedHorizon(s.work.cell())
}

func (m *member) reject(op *Operation, code Code, keepable bool) {
	m.verdict, m.keepable = rejected, keepable
	m.result = Result{Code: code, Attempt: op.Attempt}
}

// after is the horizon that forgets a record with this keep.
func after(keep int64) int64 {
	if keep == math.MaxInt64 {
		return keep
	}
	return keep + 1
}
