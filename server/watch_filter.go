package server

import (
	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Limits of a filter.
const (
	maxWatchAccounts = 100
	maxWatchCodes    = 100
)

// watchFilter is what a filter lets pass.
func watchFilter(f *ballastv1.WatchFilter) (func(*fsm.StatementEntry) bool, *Failure) {
	if name := f.GetLedger(); name != "" && !ledger.ValidLedgerName([]byte(name)) {
		return nil, invalid("filter.ledger: want 1 to %d of a-z, 0-9, '-', '_', '.', found %q", ledger.MaxLedgerLen, clip(name))
	}
	if n := len(f.GetAccounts()); n > maxWatchAccounts {
		return nil, invalid("filter.accounts: want at most %d, found %d", maxWatchAccounts, n)
	}
	if n := len(f.GetCodes()); n > maxWatchCodes {
		return nil, invalid("filter.codes: want at most %d, found %d", maxWatchCodes, n)
	}
	accounts, kinds, codes := map[string]bool{}, map[ledger.EntryKind]bool{}, map[uint32]bool{}
	for i, id := range f.GetAccounts() {
		if n := len(id); n < 1 || n > ledger.MaxAccountLen {
			return nil, invalid("filter.accounts[%d]: want 1 to %d bytes, found %d", i, ledger.MaxAccountLen, n)
		}
		accounts[id] = true
	}
	for i, kind := range f.GetKinds() {
		if kind < 1 || kind > ballastv1.EntryKind(ledger.EntryNewest) {
			return nil, invalid("filter.kinds[%d]: want a kind of entry that this version knows, found %d", i, kind)
		}
		kinds[ledger.EntryKind(kind)] = true
	}
	for _, code := range f.GetCodes() {
		codes[code] = true
	}
	return func(e *fsm.StatementEntry) bool {
		return (f.GetLedger() == "" || e.LedgerName == f.GetLedger()) &&
			(len(accounts) == 0 || accounts[e.DebitAccount] || accounts[e.CreditAccount]) &&
			(len(kinds) == 0 || kinds[e.Kind]) && (len(codes) == 0 || codes[e.Code])
	}, nil
}
