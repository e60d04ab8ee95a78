package ledger

// Account is an account's state as it is read.
type Account struct {
	ID     string
	Ledger string
	Scale  uint8 // decimal places of the amounts below
	// Minor units. Available is posted - held - floor, limited to the range of int64. A system account has no limits: its
	// floor is the lowest int64.
	Posted, Held, Floor, Ceiling, Available int64
	HasCeiling                              bool
	Version                                 uint64 // counts changes, from 1
	LastSequence                            uint64 // of its newest entry; 0: none
	Frozen, FrozenCredits, Closed, System   bool
	Slot                                    uint32
	// Caps on its debits; those with a Window of 0 are none.
	Caps [MaxCaps]CapUse
	// LowBalance is the threshold of Available below which it is Low, minor units; 0: it has none.
	LowBalance int64
	Low        bool
}

// Account reads an account by id. False: there is none.
func (s *State) Account(id []byte) (Account, bool) {
	slot, ok := s.find(id)
	if !ok {
		return Account{}, false
	}
	return s.AccountBySlot(slot)
}

// AccountBySlot reads the account that entries name by slot. False: there is none.
func (s *State) AccountBySlot(slot uint32) (Account, bool) {
	if uint64(slot) >= s.accounts.Len() {
		return Account{}, false
	}
	rec := s.accounts.Get(uint64(slot))
	a := decodeAccount(rec)
	l := decodeLedger(s.ledgers.Get(uint64(a.ledger)))
	low := int64(0)
	if a.flags&flagLowBalance != 0 {
		low = s.low.threshold(slot)
	}
	return Account{
		ID: string(accountID(rec)), Slot: slot, Ledger: string(l.name), Scale: l.scale,
		Posted: a.posted, Held: a.held, Floor: a.floor, Ceiling: a.ceiling, Available: a.available(),
		HasCeiling: a.flags&flagCeiling != 0, Version: a.version, LastSequence: a.last,
		Frozen: a.flags&flagFrozen != 0, FrozenCredits: a.flags&flagFrozenCredits != 0,
		Closed: a.flags&flagClosed != 0, System: a.flags&flagSystem != 0,
		Caps: s.capsOf(slot), LowBalance: low, Low: low != 0 && a.available() < low,
	}, true
}

// NameOf is the id of an account and the slot of its ledger, see LedgerBySlot: what an entry's slots stand for. False:
// there is no such account.
func (s *State) NameOf(slot uint32) (id string, ledger uint32, ok bool) {
	if uint64(slot) >= s.accounts.Len() {
		return "", 0, false
	}
	rec := s.accounts.Get(uint64(slot))
	return string(accountID(rec)), le.Uint32(rec[56:]), true
}

// LedgerBySlot reads a ledger. False: there is none.
func (s *State) LedgerBySlot(slot uint32) (LedgerInfo, bool) {
	if uint64(slot) >= s.ledgers.Len() {
		return LedgerInfo{}, false
	}
	return s.ledgerInfo(uint64(slot)), true
}

// AccountCount is the number of accounts, system accounts included.
func (s *State) AccountCount() uint64 { return s.accounts.Len() }

// LedgerInfo describes a ledger.
type LedgerInfo struct {
	Name, Asset string
	Scale       uint8
	// Slots of its system accounts.
	CreditsSlot, DebitsSlot uint32
}

// Ledgers lists all ledgers in order of creation, at most 65,536.
func (s *State) Ledgers() []LedgerInfo {
	list := make([]LedgerInfo, s.ledgers.Len())
	for slot := range list {
		list[slot] = s.ledgerInfo(uint64(slot))
	}
	return list
}

// Ledger reads a ledger by name. False: there is none.
func (s *State) Ledger(name []byte) (LedgerInfo, bool) {
	slot, ok := s.ledgerSlots[string(name)]
	if !ok {
		return LedgerInfo{}, false
	}
	return s.ledgerInfo(uint64(slot)), true
}

func (s *State) ledgerInfo(slot uint64) LedgerInfo {
	l := decodeLedger(s.ledgers.Get(slot))
	return LedgerInfo{string(l.name), string(l.asset), l.scale, l.credits, l.debits}
}
