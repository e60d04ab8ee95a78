package kinds

import (
	"fmt"
	"time"

	"github.com/ballastdb/ballast/fsm/ledger"
)

// kindCase is a kind, or a way of using one.
type kindCase struct {
	kind string
	// account is done to every account at the start, before is done before each batch; neither counts.
	account func(id []byte) ledger.Operation
	before  func(b *bank) []ledger.Operation
	ops     func(b *bank, before []ledger.Operation) []ledger.Operation
}

const (
	minute = int64(time.Minute)
	hour   = int64(time.Hour)
)

func holds(b *bank) []ledger.Operation {
	return b.each(func(int) ledger.Operation {
		return ledger.Operation{Kind: ledger.KindHold, Debit: b.one(), Amount: 5, Timeout: hour}
	})
}

// policy is one that keeps all of its parts busy and none in the way.
func policy(id []byte) ledger.Operation {
	return ledger.Operation{
		Kind: ledger.KindSetTopUp, Credit: id, Amount: 10, Caps: [ledger.MaxCaps]ledger.Cap{{Window: hour, Limit: 1 << 40}, {Window: hour, Limit: 1 << 50}},
		TopUp: &ledger.TopUpFields{Threshold: plenty / 2, BackOff: minute, KeyLifetime: hour, Payment: []byte("card")},
	}
}

// low is a low-balance threshold of all that an account begins with.
func low(id []byte) ledger.Operation {
	return ledger.Operation{Kind: ledger.KindSetLowBalance, Credit: id, Amount: plenty}
}

func newAccounts(b *bank) []ledger.Operation {
	return b.each(func(i int) ledger.Operation {
		return ledger.Operation{Kind: ledger.KindCreateAccount, Ledger: []byte("usd"), Credit: fmt.Appendf(nil, "new-%d-%d", b.made, i)}
	})
}

// newTopUps opens an account and lets a policy make a top-up at once.
func newTopUps(b *bank) []ledger.Operation {
	ops := newAccounts(b)
	for i := range batch {
		ops = append(ops, b.op(policy(ops[i].Credit)))
	}
	return ops
}

// topUp is the open one of the account that an operation made.
func (b *bank) topUp(op *ledger.Operation) []byte {
	p, _, _ := b.state.TopUpPolicy(op.Credit)
	return []byte(p.Open)
}

func cases() []kindCase {
	return append(append(movements(), changes()...), append(holdCases(), topUpCases()...)...)
}

// plain makes a case of single operations that need nothing before.
func plain(kind string, one func(b *bank, i int) ledger.Operation) kindCase {
	return kindCase{kind: kind, ops: func(b *bank, _ []ledger.Operation) []ledger.Operation {
		return b.each(func(i int) ledger.Operation { return one(b, i) })
	}}
}

func transfer(b *bank, _ int) ledger.Operation {
	from, to := b.two()
	return ledger.Operation{Kind: ledger.KindTransfer, Debit: from, Credit: to, Amount: 1}
}

func movements() []kindCase {
	capped := plain("transfer, two caps", transfer)
	capped.account = func(id []byte) ledger.Operation {
		return ledger.Operation{Kind: ledger.KindSetVelocity, Credit: id, Caps: [ledger.MaxCaps]ledger.Cap{{Window: minute, Limit: plenty}, {Window: hour, Limit: plenty}}}
	}
	watched := plain("transfer, top-up policy", transfer)
	watched.account = policy
	told := plain("transfer, low-balance threshold", transfer)
	told.account = func(id []byte) ledger.Operation {
		return ledger.Operation{Kind: ledger.KindSetLowBalance, Credit: id, Amount: plenty / 2}
	}
	grouped := plain("transfer, in groups of 10", func(b *bank, i int) ledger.Operation {
		op := transfer(b, i)
		op.Linked = i%10 < 9
		return op
	})
	return []kindCase{
		plain("transfer", transfer),
		plain("credit", func(b *bank, _ int) ledger.Operation {
			return ledger.Operation{Kind: ledger.KindCredit, Credit: b.one(), Amount: 1}
		}),
		plain("debit", func(b *bank, _ int) ledger.Operation {
			return ledger.Operation{Kind: ledger.KindDebit, Debit: b.one(), Amount: 1}
		}),
		plain("up-to transfer", func(b *bank, _ int) ledger.Operation {
			from, to := b.two()
			return ledger.Operation{Kind: ledger.KindUpTo, Debit: from, Credit: to, Amount: 1}
		}),
		{kind: "reversal", before: (*bank).transfers, ops: reversals},
		grouped, capped, watched, told,
		{kind: "debit that makes an account low", before: newAccountsWith(low), ops: func(b *bank, before []ledger.Operation) []ledger.Operation {
			return b.each(func(i int) ledger.Operation {
				return ledger.Operation{Kind: ledger.KindDebit, Debit: before[i].Credit, Amount: 1}
			})
		}},
	}
}

func reversals(b *bank, _ []ledger.Operation) []ledger.Operation {
	first, moved, err := b.entriesOf()
	if err != nil {
		return nil // the batch is empty, which the books do not mind and the figures show
	}
	return b.each(func(i int) ledger.Operation {
		return ledger.Operation{Kind: ledger.KindReverse, Entry: first + uint64(i), Original: moved[i]}
	})
}

func changes() []kindCase {
	onNew := func(kind ledger.Kind) func(b *bank, before []ledger.Operation) []ledger.Operation {
		return func(b *bank, before []ledger.Operation) []ledger.Operation {
			return b.each(func(i int) ledger.Operation { return ledger.Operation{Kind: kind, Credit: before[i].Credit} })
		}
	}
	return []kindCase{
		plain("create ledger", func(b *bank, i int) ledger.Operation {
			return ledger.Operation{Kind: ledger.KindCreateLedger, Ledger: fmt.Appendf(nil, "l-%d-%d", b.made, i), Asset: []byte("X")}
		}),
		{kind: "create account", ops: func(b *bank, _ []ledger.Operation) []ledger.Operation { return newAccounts(b) }},
		plain("set limits", func(b *bank, i int) ledger.Operation {
			return ledger.Operation{Kind: ledger.KindSetLimits, Credit: b.one(), HasFloor: true, Floor: -int64(i)}
		}),
		plain("set frozen", func(b *bank, _ int) ledger.Operation {
			return ledger.Operation{Kind: ledger.KindSetFrozen, Credit: b.one()}
		}),
		plain("set velocity caps", func(b *bank, i int) ledger.Operation {
			return ledger.Operation{Kind: ledger.KindSetVelocity, Credit: b.one(), Caps: [ledger.MaxCaps]ledger.Cap{{Window: hour, Limit: plenty + int64(i)}}}
		}),
		plain("set low balance", func(b *bank, i int) ledger.Operation {
			return ledger.Operation{Kind: ledger.KindSetLowBalance, Credit: b.one(), Amount: int64(1 + i)}
		}),
		{kind: "close account", before: newAccounts, ops: onNew(ledger.KindCloseAccount)},
	}
}

func holdCases() []kindCase {
	onHold := func(kind ledger.Kind, timeout int64) func(b *bank, before []ledger.Operation) []ledger.Operation {
		return func(b *bank, before []ledger.Operation) []ledger.Operation {
			return b.each(func(i int) ledger.Operation {
				return ledger.Operation{Kind: kind, Hold: before[i].ID, Timeout: timeout}
			})
		}
	}
	return []kindCase{
		{kind: "hold", ops: func(b *bank, _ []ledger.Operation) []ledger.Operation { return holds(b) }},
		{kind: "capture hold", before: holds, ops: onHold(ledger.KindCapture, 0)},
		{kind: "void hold", before: holds, ops: onHold(ledger.KindVoid, 0)},
		{kind: "extend hold", before: holds, ops: onHold(ledger.KindExtend, 2*hour)},
	}
}

func topUpCases() []kindCase {
	crossing := kindCase{kind: "debit that makes a top-up", before: newAccountsWith(policy), ops: func(b *bank, before []ledger.Operation) []ledger.Operation {
		return b.each(func(i int) ledger.Operation {
			return ledger.Operation{Kind: ledger.KindDebit, Debit: before[i].Credit, Amount: plenty/2 + 1}
		})
	}}
	return []kindCase{
		plain("set top-up policy", func(b *bank, _ int) ledger.Operation { return policy(b.one()) }),
		crossing,
		{kind: "lease top-up", before: newTopUps, ops: func(b *bank, before []ledger.Operation) []ledger.Operation {
			return b.each(func(i int) ledger.Operation {
				return ledger.Operation{Kind: ledger.KindLeaseTopUp, Timeout: minute, TopUp: &ledger.TopUpFields{ID: b.topUp(&before[i])}}
			})
		}},
		{kind: "settle top-up, succeeded", before: newTopUpsFunded, ops: settle(ledger.OutcomeSucceeded)},
		{kind: "settle top-up, declined", before: newTopUps, ops: settle(ledger.OutcomeDeclined)},
	}
}

func settle(outcome ledger.TopUpOutcome) func(b *bank, before []ledger.Operation) []ledger.Operation {
	return func(b *bank, before []ledger.Operation) []ledger.Operation {
		return b.each(func(i int) ledger.Operation {
			return ledger.Operation{Kind: ledger.KindSettleTopUp, TopUp: &ledger.TopUpFields{ID: b.topUp(&before[i]), Outcome: outcome}}
		})
	}
}

// newAccountsWith opens accounts that have enough, and does one thing more to each.
func newAccountsWith(with func(id []byte) ledger.Operation) func(b *bank) []ledger.Operation {
	return func(b *bank) []ledger.Operation {
		ops := newAccounts(b)
		for i := range batch {
			ops = append(ops, b.op(ledger.Operation{Kind: ledger.KindCredit, Credit: ops[i].Credit, Amount: plenty}), b.op(with(ops[i].Credit)))
		}
		return ops
	}
}

// newTopUpsFunded have enough by the time that their top-up is settled, so that it makes no next one.
func newTopUpsFunded(b *bank) []ledger.Operation {
	ops := newTopUps(b)
	for i := range batch {
		ops = append(ops, b.op(ledger.Operation{Kind: ledger.KindCredit, Credit: ops[i].Credit, Amount: plenty}))
	}
	return ops
}
