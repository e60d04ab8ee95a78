package ledger

import "github.com/ballastdb/ballast/internal/planted"

// Records dropped at most for each record added: enough for a queue over its budget to shrink, and a bound on the work
// that one operation causes.
const (
	dropsPerDone    = 2
	dropsPerRefused = 4
)

// rememberDone records that the member's operation took effect.
func (s *State) rememberDone(m *member, kind Kind, res *Result, keep int64) {
	if m.hasPrior {
		s.byRefusedKey.Delete(m.refusedHash, m.prior)
	}
	pos, rec := s.done.Append(s.index)
	record(rec).put(m, kind, res, keep, 0, 0)
	s.done.End(pos, s.index)
	s.byKey.Insert(m.hash, donePos(pos))
	s.touched[0] = true
}

// rememberRefused records a refusal in the bucket of the cell, in place of what it was known by before.
func (s *State) rememberRefused(m *member, kind Kind, res *Result, keep int64, exact bool) {
	if planted.In(planted.ForgetRefusals) {
		return
	}
	cell, flags := s.work.cell(), byte(0)
	bucket := int(cell / cellsPerBucket)
	if exact {
		flags |= recordExact
		s.meta.exactCount++
	}
	if keep-s.meta.logTime > maxAhead {
		flags |= recordAhead
		s.ahead[bucket]++
	}
	q := s.refused[bucket]
	pos, rec := q.Append(s.index)
	record(rec).put(m, kind, res, keep, cell, flags)
	q.End(pos, s.index)
	s.touched[bucket+1] = true

	prior, has := m.prior, m.hasPrior
	if exact {
		prior, has = m.priorExact, m.hasPriorExact
	}
	if at := refusedPos(bucket, pos); !has || !s.byRefusedKey.Replace(m.refusedHash, prior, at) {
		s.byRefusedKey.Insert(m.refusedHash, at)
	}
}

// trimDone drops what is forgotten from the head of the done queue and, over the budget, moves the horizon so far that
// more is.
func (s *State) trimDone(steps int) {
	for range steps {
		if s.done.Len() == 0 {
			return
		}
		pos := s.done.Head()
		r := record(s.done.Get(pos))
		if !s.doneForgotten(r) {
			if s.done.Len() <= s.doneMax {
				return
			}
			s.meta.horizon = max(s.meta.horizon, after(r.keep()))
		}
		s.byKey.Delete(s.byKey.Hash(r.key()), donePos(pos))
		s.done.DropHead(s.index)
		s.touched[0] = true
	}
}

// trimRefused does the same for a bucket; the horizon that moves is that of the dropped record's cell alone, so that
// a flood of refusals shortens the memory of the accounts that were refused, and of no others.
func (s *State) trimRefused(bucket, steps int) {
	q := s.refused[bucket]
	for range steps {
		if q.Len() == 0 {
			return
		}
		pos := q.Head()
		r := record(q.Get(pos))
		hash, at := s.byRefusedKey.Hash(r.key()), refusedPos(bucket, pos)
		over := q.Len() > s.bucket
		switch {
		case s.refusedForgotten(r):
			s.byRefusedKey.Delete(hash, at)
		case !s.indexed(hash, at): // replaced by a later attempt
		case s.mustCarry(bucket, r):
			s.carry(bucket, r, hash, at)
			if !over {
				return
			}
			continue
		case !over:
			return
		default:
			s.moveCell(r.cell(), after(r.keep()))
			s.byRefusedKey.Delete(hash, at)
		}
		s.dropRefused(bucket, r)
	}
}

func (s *State) dropRefused(bucket int, r record) {
	if r.exact() {
		s.meta.exactCount--
	}
	if r.ahead() {
		s.ahead[bucket]--
	}
	s.refused[bucket].DropHead(s.index)
	s.touched[bucket+1] = true
}

// indexed reports whether the index has this very locator, that is whether the record is its id's newest.
func (s *State) indexed(hash, at uint64) bool {
	_, ok := s.byRefusedKey.Find(hash, func(locator uint64) bool { return locator == at })
	return ok
}

// mustCarry: a record whose time lies ahead must not be forgotten before that time has come, and moving a horizon there
// would refuse everything until then. It goes round in its queue instead, unless such records fill half of the bucket:
// then safety comes first and the cell's horizon does move ahead of log time. Admission bounds how far, see
// MaxIssuedAhead.
func (s *State) mustCarry(bucket int, r record) bool {
	return r.ahead() && r.keep()-s.meta.logTime > maxAhead && s.ahead[bucket]*2 <= s.bucket
}

// carry moves the head record to the tail.
func (s *State) carry(bucket int, r record, hash, at uint64) {
	q := s.refused[bucket]
	pos, rec := q.Append(s.index)
	copy(rec[8:], r[8:])
	q.End(pos, s.index)
	s.byRefusedKey.Replace(hash, at, refusedPos(bucket, pos))
	q.DropHead(s.index)
	s.touched[bucket+1] = true
}

func (s *State) moveCell(cell uint16, horizon int64) {
	rec := s.cells.Begin(uint64(cell))
	putI64(rec[8:], max(i64(rec[8:]), horizon))
	s.cells.End(uint64(cell), s.index)
	s.meta.cellMax = max(s.meta.cellMax, horizon)
}

// rebuildKeys indexes the records that are not forgotten: of each id the newest normal record, and of each payload the
// newest exact one. Of one id they are in one queue in order, or the last took effect.
func (s *State) rebuildKeys() error {
	for b, q := range s.refused {
		for pos := q.Head(); pos < q.Tail(); pos++ {
			r := record(q.Get(pos))
			if r.cell() >= cellCount || int(r.cell()/cellsPerBucket) != b {
				return stateError("refused id at position %d of bucket %d is of cell %d", pos, b, r.cell())
			}
			if !s.refusedForgotten(r) {
				s.rebuildRefused(r, refusedPos(b, pos))
			}
		}
	}
	for pos := s.done.Head(); pos < s.done.Tail(); pos++ {
		r := record(s.done.Get(pos))
		if s.doneForgotten(r) {
			continue
		}
		s.byKey.Insert(s.byKey.Hash(r.key()), donePos(pos))
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

func (s *State) probeRecord(r record) (p probe, refusedHash uint64) {
	k := key{b: [16]byte(r.key()), how: r[offHow]}
	p = probe{s: s, key: &k, payload: r.payload()}
	refusedHash = s.byRefusedKey.Hash(r.key())
	s.byRefusedKey.Find(refusedHash, p.sameRefused)
	return p, refusedHash
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
	// Without a normal record the exact one of the highest attempt tells at least that the id was refused.
	var normal, exact record
	s.byRefusedKey.Find(s.byRefusedKey.Hash(k.b[:]), func(locator uint64) bool {
		switch r := s.refusedAt(locator); {
		case !r.matches(&k) || s.refusedForgotten(r):
		case !r.exact():
			normal = r
		case exact == nil || r.attempt() > exact.attempt():
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
