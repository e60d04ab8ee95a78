package kinds

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ballastdb/ballast/fsm/ledger"
)

const (
	start  = int64(1_700_000_000) * int64(time.Second)
	plenty = 1 << 40
)

// bank is a state with accounts that have plenty.
type bank struct {
	state *ledger.State
	out   ledger.Output
	index uint64
	now   int64
	made  int
	rnd   *rand.Rand
	// accounts is how many there are, a multiple of batch.
	accounts int
}

func openBank(c kindCase, accounts int) (*bank, error) {
	b := &bank{state: ledger.New(), now: start, rnd: rand.New(rand.NewPCG(1, 1)), accounts: accounts}
	if err := b.apply([]ledger.Operation{b.op(ledger.Operation{Kind: ledger.KindCreateLedger, Ledger: []byte("usd"), Asset: []byte("USD"), Scale: 2})}); err != nil {
		return nil, err
	}
	for first := 0; first < accounts; first += batch {
		var ops []ledger.Operation
		for i := range batch {
			id := account(first + i)
			ops = append(ops, b.op(ledger.Operation{Kind: ledger.KindCreateAccount, Ledger: []byte("usd"), Credit: id}),
				b.op(ledger.Operation{Kind: ledger.KindCredit, Credit: id, Amount: plenty}))
			if c.account != nil {
				ops = append(ops, b.op(c.account(id)))
			}
		}
		if err := b.apply(ops); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func account(i int) []byte { return fmt.Appendf(nil, "acct-%07d", i) }

// op completes an operation: an id of 16 bytes, as a client's, and its stamp.
func (b *bank) op(op ledger.Operation) ledger.Operation {
	b.made++
	op.ID, op.Attempt, op.IssuedAt = fmt.Appendf(nil, "op-%013d", b.made), 1, b.now
	return op
}

// apply applies operations that all must take effect.
func (b *bank) apply(ops []ledger.Operation) error {
	if len(ops) == 0 {
		return nil
	}
	b.index++
	b.now += int64(time.Millisecond)
	b.state.Apply(b.index, b.now, ops, &b.out)
	for i := range b.out.Results {
		if code := b.out.Results[i].Code; code != ledger.CodeApplied {
			return fmt.Errorf("operation %d of a batch: code %d", i, code)
		}
	}
	return nil
}

// two are different accounts.
func (b *bank) two() (from, to []byte) {
	i := b.rnd.IntN(b.accounts)
	return account(i), account((i + 1 + b.rnd.IntN(b.accounts-1)) % b.accounts)
}

func (b *bank) one() []byte { return account(b.rnd.IntN(b.accounts)) }

// each makes a batch.
func (b *bank) each(make func(i int) ledger.Operation) []ledger.Operation {
	ops := []ledger.Operation{}
	for i := range batch {
		ops = append(ops, b.op(make(i)))
	}
	return ops
}

func (b *bank) transfers() []ledger.Operation {
	return b.each(func(int) ledger.Operation {
		from, to := b.two()
		return ledger.Operation{Kind: ledger.KindTransfer, Debit: from, Credit: to, Amount: 1}
	})
}

// entriesOf are the sequence numbers, and what was moved, of the newest batch.
func (b *bank) entriesOf() (first uint64, moved []ledger.Original, err error) {
	for rest := b.out.Entries; len(rest) > 0; {
		e, n, err := ledger.DecodeEntry(rest)
		if err != nil {
			return 0, nil, err
		}
		if first == 0 {
			first = e.Sequence
		}
		moved, rest = append(moved, ledger.OriginalOf(&e)), rest[n:]
	}
	return first, moved, nil
}
