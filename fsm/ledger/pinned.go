package ledger

import (
	"sync"

	"github.com/ballastdb/ballast/fsm/page"
)

// Pinned is all accounts as they were when they were pinned. What changes meanwhile is kept in memory until it was read, up to a
// bound that its owner watches. For one reader.
type Pinned struct {
	view    *page.View
	ledgers []LedgerInfo
	count   uint64
}

// PinAccounts pins the accounts as they are, in the time that it takes to list the ledgers. The caller has exclusive access now,
// and again when it calls Close. lock gives shared access: Each takes it for a page at a time.
func (s *State) PinAccounts(lock sync.Locker) *Pinned {
	return &Pinned{view: s.space.ViewOf(lock, tableAccounts), ledgers: s.Ledgers(), count: s.accounts.Len()}
}

// Count is how many accounts there are, system accounts included.
func (p *Pinned) Count() uint64 { return p.count }

// Preserved is how much is kept of what changed since, bytes. The caller has shared access.
func (p *Pinned) Preserved() uint64 { return p.view.Preserved() }

// Close ends it; closing twice is harmless. The caller has exclusive access.
func (p *Pinned) Close() { p.view.Close() }

// Each yields the accounts in order of opening, without their caps, once, and stops at the first error. may is asked under the
// lock before each page of accounts is read, and ends it with its error; yield runs without the lock.
func (p *Pinned) Each(may func() error, yield func(*Account) error) error {
	var refused error
	slot := uint32(0)
	want := func(page.ID, uint64) bool {
		refused = may()
		return refused == nil
	}
	return p.view.Changed(want, func(pg page.Page) error {
		if refused != nil {
			return refused
		}
		for at := 0; at+accountBytes <= len(pg.Data) && uint64(slot) < p.count; at += accountBytes {
			account, err := p.read(pg.Data[at:at+accountBytes], slot)
			if err != nil {
				return err
			}
			if err := yield(&account); err != nil {
				return err
			}
			slot++
		}
		return nil
	})
}

func (p *Pinned) read(rec []byte, slot uint32) (Account, error) {
	ledger := le.Uint32(rec[offAccountLedger:])
	if uint64(ledger) >= uint64(len(p.ledgers)) || rec[63] == 0 || rec[63] > MaxAccountLen {
		return Account{}, stateError("account %d is of ledger %d of %d, with an id of %d bytes", slot, ledger, len(p.ledgers), rec[63])
	}
	l := &p.ledgers[ledger]
	return readAccount(rec, slot, l.Name, l.Scale), nil
}

// AccountNames are the id of the account at slot, its ledger's name, and the scale of its amounts, all of which never change.
// False: there is no such account.
func (s *State) AccountNames(slot uint32) (id, ledger string, scale uint8, ok bool) {
	if uint64(slot) >= s.accounts.Len() {
		return "", "", 0, false
	}
	rec := s.accounts.Get(uint64(slot))
	l := decodeLedger(s.ledgers.Get(uint64(le.Uint32(rec[offAccountLedger:]))))
	return string(accountID(rec)), string(l.name), l.scale, true
}
