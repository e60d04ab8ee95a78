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
	l := decodeLedger(s.ledgers.Get(uint64(le.Uint32(rec[offAccountLedger:]))))
	found := readAccount(rec, slot, string(l.name), l.scale)
	found.Caps = s.capsOf(slot)
	if le.Uint16(rec[60:])&flagLowBalance != 0 {
		found.LowBalance = s.low.threshold(slot)
		found.Low = found.Available < found.LowBalance
	}
	return found, true
}

// readAccount reads an account's record, without its caps and its low-balance threshold, which are not in it.
func readAccount(rec []byte, slot uint32, ledger string, scale uint8) Account {
	a := decodeAccount(rec)
	return Account{
		ID: string(accountID(rec)), Slot: slot, Ledger: ledger, Scale: scale,
		Posted: a.posted, Held: a.held, Floor: a.floor, Ceiling: a.ceiling, Available: a.available(),
		HasCeiling: a.flags&flagCeiling != 0, Version: a.version, LastSequence: a.last,
		Frozen: a.flags&flagFrozen != 0, FrozenCredits: a.flags&flagFrozenCredits != 0,
		Closed: a.flags&flagClosed != 0, System: a.flags&flagSystem != 0,
	}
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
