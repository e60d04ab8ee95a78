package fsm

import "github.com/ballastdb/ballast/fsm/ledger"

// namesAtOnce is how many entries are named under one lock, which keeps the state still.
const namesAtOnce = 64

// name fills in what the slots of entries stand for. It never changes, so entries may be newer than what they are named by.
func (f *FSM) name(entries []StatementEntry) {
	for len(entries) > 0 {
		part := entries[:min(namesAtOnce, len(entries))]
		f.Read(func(s *ledger.State) {
			for i := range part {
				part[i].name(s)
			}
		})
		entries = entries[len(part):]
	}
}

func (e *StatementEntry) name(s *ledger.State) {
	if e.HasDebit {
		e.DebitAccount, e.LedgerName, e.LedgerScale, _ = s.AccountNames(e.DebitSlot)
	}
	if e.HasCredit {
		e.CreditAccount, e.LedgerName, e.LedgerScale, _ = s.AccountNames(e.CreditSlot)
	}
	if e.Policy != nil && e.Policy.On {
		e.SourceAccount, _, _, _ = s.AccountNames(e.Policy.Source)
	}
}
