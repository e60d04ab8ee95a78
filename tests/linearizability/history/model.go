package history

import (
	"fmt"
	"hash/maphash"
	"math"
	"strings"

	"github.com/anishathalye/porcupine"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// CellSize is how many accounts a cell has. Money moves within a cell only, so each cell is checked by itself.
const CellSize = 3

// cellState is what the model keeps of a cell. Comparable, so that porcupine recognises states that it has seen.
type cellState struct {
	posted [CellSize]int64
	// last is the sequence number of each account's newest entry.
	last [CellSize]uint64
	// ids has a byte for each id of which more than one attempt is known: highest attempt seen * 2 + took effect.
	ids string
}

// input of the model: a read, or an attempt of a change with its own answer.
type input struct {
	read    *Read
	attempt *attempt
	// idSlot is the place in cellState.ids; -1 for ids with a single attempt.
	idSlot int
}

// cell checks the calls about the accounts of one cell.
type cell struct {
	accounts [CellSize]string
	floors   [CellSize]int64
	start    cellState
	seed     maphash.Seed
}

func (c *cell) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return c.start },
		Step: func(state, in, _ any) (bool, any) {
			s, i := state.(cellState), in.(input)
			if i.read != nil {
				return c.stepRead(s, i.read), s
			}
			return c.stepChange(s, i)
		},
		Hash: func(state any) uint64 { return maphash.Comparable(c.seed, state.(cellState)) },
		DescribeOperation: func(in, _ any) string {
			return describeInput(in.(input))
		},
		DescribeState: func(state any) string { return fmt.Sprintf("%+v", state) },
	}
}

// stepRead: every account reads as the state has it.
func (c *cell) stepRead(s cellState, r *Read) bool {
	for _, account := range r.Accounts {
		i := c.index(account.GetId())
		if i < 0 || account.GetPosted() != s.posted[i] || account.GetLastSequence() != s.last[i] ||
			account.GetAvailable() != s.posted[i]-c.floors[i] {
			return false
		}
	}
	return true
}

// stepChange: the attempt's answer is what the model says, and then so is the next state.
func (c *cell) stepChange(s cellState, in input) (bool, any) {
	a := in.attempt
	if in.idSlot >= 0 {
		known := s.ids[in.idSlot]
		if uint32(known/2) >= a.attempt || known%2 == 1 {
			return false, s // dead, or took effect before: it cannot have an answer of its own now
		}
	}
	next, ok := c.apply(s, a)
	if !ok {
		return false, s
	}
	if in.idSlot >= 0 {
		mark := byte(a.attempt * 2)
		if a.applied() {
			mark++
		}
		next.ids = next.ids[:in.idSlot] + string([]byte{mark}) + next.ids[in.idSlot+1:]
	}
	return true, next
}

// apply does a group's operations one after the other and compares each answer.
func (c *cell) apply(s cellState, a *attempt) (cellState, bool) {
	before := s
	for i, op := range a.operations {
		result := a.results[i]
		want := c.operation(&s, op, result)
		if want == ballastv1.ResultCode_RESULT_CODE_APPLIED {
			if result.GetCode() != want {
				// Refused although the model accepts it: right only if another member of the group is at fault.
				if result.GetCode() != ballastv1.ResultCode_RESULT_CODE_GROUP_REFUSED {
					return before, stateless(result.GetCode())
				}
				c.force(&s, op)
			}
			continue
		}
		// The first member that the model refuses must be the one that was refused for a reason of its own, the
		// others for its sake; nothing of the group takes effect.
		return before, result.GetCode() == want && refusedAround(a.results, i)
	}
	if !a.applied() {
		return before, false // refused, and the model sees no reason
	}
	return s, true
}

// stateless refusals depend on the clock in the log or on accounts outside of the cell: any state explains them.
func stateless(code ballastv1.ResultCode) bool {
	switch code {
	case ballastv1.ResultCode_RESULT_CODE_TOO_EARLY, ballastv1.ResultCode_RESULT_CODE_TOO_OLD,
		ballastv1.ResultCode_RESULT_CODE_UNKNOWN_ACCOUNT:
		return true
	default:
		return false
	}
}

// refusedAround: every other member of the group names i as the reason.
func refusedAround(results []*ballastv1.Result, i int) bool {
	for j, r := range results {
		if j != i && (r.GetCode() != ballastv1.ResultCode_RESULT_CODE_GROUP_REFUSED || r.GetFailedMember() != uint32(i)) {
			return false
		}
	}
	return true
}

// operation applies op to s if the model accepts it, and returns what its code must be. An answer whose numbers do not
// fit returns RESULT_CODE_UNSPECIFIED, which no answer has.
func (c *cell) operation(s *cellState, op *ballastv1.Operation, r *ballastv1.Result) ballastv1.ResultCode {
	m := moveOf(op)
	debit, credit := c.index(m.debit), c.index(m.credit)
	if debit >= 0 {
		if available := s.posted[debit] - c.floors[debit]; available < m.amount {
			if r.GetCode() == ballastv1.ResultCode_RESULT_CODE_INSUFFICIENT_FUNDS && r.GetAvailable() != available {
				return ballastv1.ResultCode_RESULT_CODE_UNSPECIFIED
			}
			return ballastv1.ResultCode_RESULT_CODE_INSUFFICIENT_FUNDS
		}
	}
	if r.GetCode() != ballastv1.ResultCode_RESULT_CODE_APPLIED {
		return ballastv1.ResultCode_RESULT_CODE_APPLIED
	}
	c.force(s, op)
	for _, side := range []struct {
		account int
		posted  int64
	}{{debit, r.GetDebitPosted()}, {credit, r.GetCreditPosted()}} {
		if side.account < 0 {
			continue
		}
		if s.posted[side.account] != side.posted || r.GetSequence() <= s.last[side.account] {
			return ballastv1.ResultCode_RESULT_CODE_UNSPECIFIED
		}
		s.last[side.account] = r.GetSequence()
	}
	return ballastv1.ResultCode_RESULT_CODE_APPLIED
}

// force moves the money.
func (c *cell) force(s *cellState, op *ballastv1.Operation) {
	m := moveOf(op)
	if i := c.index(m.debit); i >= 0 {
		s.posted[i] -= m.amount
	}
	if i := c.index(m.credit); i >= 0 {
		s.posted[i] += m.amount
	}
}

func (c *cell) index(account string) int {
	for i, id := range c.accounts {
		if id == account && id != "" {
			return i
		}
	}
	return -1
}

// move is what an operation does to accounts that callers can name; an empty side is a system account.
type move struct {
	debit, credit string
	amount        int64
}

func moveOf(op *ballastv1.Operation) move {
	switch k := op.GetKind().(type) {
	case *ballastv1.Operation_Credit:
		return move{credit: k.Credit.GetAccount(), amount: k.Credit.GetAmount()}
	case *ballastv1.Operation_Debit:
		return move{debit: k.Debit.GetAccount(), amount: k.Debit.GetAmount()}
	case *ballastv1.Operation_Transfer:
		return move{debit: k.Transfer.GetDebitAccount(), credit: k.Transfer.GetCreditAccount(), amount: k.Transfer.GetAmount()}
	}
	return move{}
}

// operations are the cell's history as porcupine takes it.
func (c *cell) operations(reads []*Call, attempts []*attempt) []porcupine.Operation {
	slots := idSlots(attempts)
	c.start.ids = strings.Repeat("\x00", len(slots))
	var operations []porcupine.Operation
	for _, r := range reads {
		operations = append(operations, porcupine.Operation{ClientId: r.Client, Input: input{read: r.Read}, Call: r.Start, Return: r.End})
	}
	for _, a := range attempts {
		slot, several := slots[a.id]
		if !several {
			slot = -1
		}
		operations = append(operations, porcupine.Operation{
			Input: input{attempt: a, idSlot: slot}, Call: a.start, Return: min(a.end, math.MaxInt64-1),
		})
	}
	return operations
}

// idSlots gives each id of which several attempts are in the history a place in cellState.ids.
func idSlots(attempts []*attempt) map[string]int {
	count := map[string]int{}
	slots := map[string]int{}
	for _, a := range attempts {
		if count[a.id]++; count[a.id] == 2 {
			slots[a.id] = len(slots)
		}
	}
	return slots
}

func describeInput(in input) string {
	if in.read != nil {
		text := fmt.Sprintf("read at index %d:", in.read.Index)
		for _, a := range in.read.Accounts {
			text += fmt.Sprintf(" %s=%d (entry %d)", a.GetId(), a.GetPosted(), a.GetLastSequence())
		}
		return text
	}
	text := in.attempt.String() + ":"
	for _, op := range in.attempt.operations {
		m := moveOf(op)
		text += fmt.Sprintf(" %d from %q to %q;", m.amount, m.debit, m.credit)
	}
	return text + " -> " + describe(in.attempt.results)
}
