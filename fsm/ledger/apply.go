package ledger

// Output is what Apply answers. It may be reused: Apply overwrites all of it and keeps the capacity.
type Output struct {
	// Results has one answer for each operation, in order.
	Results []Result
	// Entries of the operations that took effect, encoded and chained, one after another (docs/formats/entry.md).
	Entries []byte
	// Hashes has the chain's hash after each of the entries.
	Hashes [][2]uint64
}

func (o *Output) reset(n int) {
	if cap(o.Results) < n {
		o.Results = make([]Result, n)
	} else {
		o.Results = o.Results[:n]
		clear(o.Results)
	}
	o.Entries, o.Hashes = o.Entries[:0], o.Hashes[:0]
}

// Apply applies the operations of one log entry in order. index is the entry's, now the leader's stamp in it, Unix
// nanoseconds: log time becomes max(its previous value, now). Operations linked to the next form one atomic group with
// it. Nothing of ops is kept. First what is due happens: holds expire, and top-ups are
// made whose back-off is over. Without operations the call does that alone.
func (s *State) Apply(index uint64, now int64, ops []Operation, out *Output) {
	s.begin(index, now)
	out.reset(len(ops))
	s.holds.forget(index, s.meta.horizon)
	s.topUps.forget(index, s.meta.horizon)
	s.expire(out)
	s.wakePolicies(out)
	s.expect(ops)
	for len(ops) > 0 {
		n := 1
		for n < len(ops) && ops[n-1].Linked {
			n++
		}
		done := len(out.Results) - len(ops)
		s.lookAhead(done + n)
		s.work.start(s, ops[:n], s.work.all[done:done+n])
		s.applyUnit(ops[:n], out.Results[done:done+n], out)
		ops = ops[n:]
	}
	s.work.ops, s.work.call = nil, nil
	s.flush()
}

// applyUnit answers an operation alone or an atomic group.
func (s *State) applyUnit(ops []Operation, results []Result, out *Output) {
	if !admit(ops, results) {
		return
	}
	s.identify(ops)
	for i := range ops {
		s.judge(&s.work.members[i], &ops[i])
	}
	if s.answerKnown(results) {
		return
	}
	for i := range ops {
		if s.evaluate(&ops[i], &s.work.members[i], &results[i]); results[i].Code != CodeApplied {
			s.work.rollBack(s)
			groupRefused(ops, results, i)
			s.rememberRefusals(results, false)
			return
		}
	}
	s.commit(results, out)
}

// admit answers a unit with invalid members. Nothing of that is recorded: every copy of it is as invalid.
func admit(ops []Operation, results []Result) bool {
	failed := -1
	for i := range ops {
		if validate(&ops[i]) != nil {
			results[i] = Result{Code: CodeInvalid, Attempt: ops[i].Attempt}
			if failed < 0 {
				failed = i
			}
		}
	}
	if len(ops) > 1 || ops[0].Linked {
		if i, err := ValidateGroup(ops); err != nil {
			results[i] = Result{Code: CodeInvalid, Attempt: ops[i].Attempt}
			if failed < 0 || i < failed {
				failed = i
			}
		}
	}
	if failed < 0 {
		return true
	}
	for i := range ops {
		if results[i].Code == CodeNone {
			results[i] = Result{Code: CodeGroupRefused, Attempt: ops[i].Attempt, FailedMember: uint32(failed)}
		}
	}
	return false
}

// answerKnown answers a unit of which something is known already. One whose members all have stored answers gets those.
// Otherwise each member that is known or rejected gets its own answer and the first such member refuses the rest.
func (s *State) answerKnown(results []Result) bool {
	w := &s.work
	failed, toRemember, tooOld, exact := -1, false, false, false
	for i := range w.members {
		m := &w.members[i]
		if m.verdict == fresh {
			toRemember = true
			continue
		}
		if failed < 0 {
			failed = i
		}
		results[i] = m.result
		toRemember = toRemember || m.keepable
		tooOld = tooOld || m.result.Code == CodeTooOld
		exact = exact || m.result.Code == CodeTooEarly
	}
	if failed < 0 {
		return false
	}
	for i := range w.members {
		if w.members[i].verdict == fresh {
			results[i] = Result{Code: CodeGroupRefused, Attempt: w.ops[i].Attempt, FailedMember: uint32(failed)}
		}
	}
	// A group that is too old is so for ever: nothing has to be recorded to keep it from taking effect.
	if toRemember && !tooOld {
		s.rememberRefusals(results, exact)
	}
	return true
}

// groupRefused answers the members beside the one that was refused for a reason of its own.
func groupRefused(ops []Operation, results []Result, failed int) {
	for i := range results {
		if i != failed {
			results[i] = Result{Code: CodeGroupRefused, Attempt: ops[i].Attempt, FailedMember: uint32(failed)}
		}
	}
}

// keep is that of all records of the unit, so that its members are forgotten together: at least each one's issued_at.
func (s *State) keep() int64 {
	keep := s.meta.logTime
	for i := range s.work.ops {
		keep = max(keep, s.work.ops[i].IssuedAt)
	}
	return keep
}

// rememberRefusals records the answers that are not recorded yet and would not be given again by themselves.
func (s *State) rememberRefusals(results []Result, exact bool) {
	w, keep, n := &s.work, s.keep(), 0
	for i := range w.members {
		m := &w.members[i]
		if m.verdict == fresh || m.keepable {
			s.rememberRefused(m, w.ops[i].Kind, &results[i], keep, exact || m.verdict == rejected)
			n++
		}
	}
	s.trim(&s.refused[bucketOf(w.cell())], dropsPerRefused*n)
}

// commit writes back what the unit changed, appends its entries and records its answers.
func (s *State) commit(results []Result, out *Output) {
	w := &s.work
	s.commitEffects(out)
	keep := s.keep()
	for i := range w.members {
		s.rememberDone(&w.members[i], w.ops[i].Kind, &results[i], keep)
	}
	s.trim(&s.done, dropsPerDone*len(w.members))
}

// commitEffects writes back what the unit changed and appends its entries: the one place where what happened is told, in
// order.
func (s *State) commitEffects(out *Output) {
	w := &s.work
	s.noticeLows()
	s.considerTopUps()
	s.commitLedgers()
	for i := range w.touched {
		s.commitAccount(&w.touched[i])
	}
	if len(w.holds) > 0 {
		s.commitHolds()
	}
	if len(w.velocities) > 0 {
		s.commitVelocities()
	}
	if len(w.reversals) > 0 {
		s.commitReversals()
	}
	if len(w.lows) > 0 {
		s.commitLows()
	}
	if len(w.topUps) > 0 {
		s.commitTopUps()
	}
	if len(w.policies) > 0 {
		s.commitPolicies()
	}
	for i := range w.effects {
		out.Entries = s.appendEntry(out.Entries, &w.effects[i])
		out.Hashes = append(out.Hashes, s.meta.journal)
	}
}

func (s *State) commitLedgers() {
	for i := range s.work.newLedgers {
		l := &s.work.newLedgers[i]
		slot, rec := s.ledgers.Append(s.index)
		if slot != uint64(l.slot) {
			panic("ledger: a ledger was created at another slot than planned")
		}
		l.encode(rec)
		s.ledgers.End(slot, s.index)
		s.ledgerSlots[string(l.name)] = l.slot
	}
}

func (s *State) commitAccount(t *touch) {
	slot := uint64(t.slot)
	if !t.created {
		t.encode(s.accounts.Begin(slot))
		s.accounts.End(slot, s.index)
		return
	}
	at, rec := s.accounts.Append(s.index)
	if at != slot {
		panic("ledger: an account was created at another slot than planned")
	}
	t.encode(rec)
	putAccountID(rec, t.id)
	s.accounts.End(slot, s.index)
	s.byID.Insert(s.byID.Hash(t.id), slot)
}
