package ledger

import "math"

// evaluateUpTo moves as much as there is, and room for, up to the amount.
func (s *State) evaluateUpTo(op *Operation, m *member, res *Result) {
	mv, ok := s.resolveMovement(op, m, res)
	if !ok {
		return
	}
	d, c := &s.work.touched[mv.debit], &s.work.touched[mv.credit]
	if !s.versionHolds(op, mv, res) || !mayPass(&d.account, &c.account, res) {
		return
	}
	ceiling := int64(math.MaxInt64)
	if c.flags&flagCeiling != 0 {
		ceiling = less(c.ceiling, c.posted)
	}
	amount := max(1, min(op.Amount, d.available(), ceiling, s.velocityRoom(d))) // where less than 1 can move, say why
	if !s.move(op, res, EntryUpTo, mv, amount) {
		if res.Asked != 0 {
			res.Asked = op.Amount
		}
		return
	}
	res.Amount, res.CreditPosted = amount, 0
}
