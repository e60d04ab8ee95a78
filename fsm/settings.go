package fsm

import (
	"sync"

	"github.com/ballastdb/ballast/fsm/history"
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/fsm/upkeep"
)

// changeSettings changes the settings of a proposal, all of them or, where one is out of its bounds, none.
func (s *state) changeSettings(index uint64, p *proposal.Proposal) error {
	books, care := s.books.Settings(), s.upkeep.Settings()
	changes := make([]history.Change, len(p.Settings))
	for i, change := range p.Settings {
		changes[i] = history.Change{
			Index: index, Setting: uint16(change.Number), Before: valueOf(change.Number, books, care), After: change.Value, By: p.By,
		}
		setBooks(&books, change)
		setUpkeep(&care, change)
	}
	if err := care.Validate(); err != nil {
		s.books.Advance(index, p.Time)
		return err
	}
	if err := s.books.SetSettings(index, p.Time, books); err != nil {
		return err
	}
	s.upkeep.Put(index, care)
	for _, c := range changes {
		if c.Time = s.books.LogTime(); c.Before != c.After {
			s.history.Add(c)
		}
	}
	return nil
}

// valueOf is a setting as a proposal would have it.
func valueOf(number proposal.SettingNumber, books ledger.Settings, care upkeep.Settings) uint64 {
	switch number {
	case proposal.SettingIDWindow:
		return uint64(books.IDWindow)
	case proposal.SettingIDBudgetBytes:
		return books.IDBudgetBytes
	case proposal.SettingRefusedSharePercent:
		return uint64(books.RefusedSharePercent)
	case proposal.SettingCheckpointInterval:
		return uint64(books.CheckpointInterval)
	case proposal.SettingLogRetentionBytes:
		return care.LogRetentionBytes
	case proposal.SettingLogRetentionTime:
		return uint64(care.LogRetentionTime)
	case proposal.SettingLogPinBytes:
		return care.LogPinBytes
	case proposal.SettingSnapshotMinLogBytes:
		return care.SnapshotMinLogBytes
	case proposal.SettingSnapshotMaxLogBytes:
		return care.SnapshotMaxLogBytes
	case proposal.SettingMaxTransfers:
		return uint64(care.MaxTransfers)
	case proposal.SettingTransferRate:
		return care.TransferRate
	case proposal.SettingBackfillRate:
		return care.BackfillRate
	}
	return 0
}

// SettingChanges are the newest changes of settings, newest first, at most history.Max.
func (f *FSM) SettingChanges() []history.Change {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.state.history.Changes()
}

// number32 is a number that does not fit its field as one that Validate refuses, not as another that it takes.
func number32(v uint64) uint32 { return uint32(min(v, 1<<32-1)) }

func setBooks(s *ledger.Settings, c proposal.Setting) {
	switch c.Number {
	case proposal.SettingIDWindow:
		s.IDWindow = c.Duration()
	case proposal.SettingIDBudgetBytes:
		s.IDBudgetBytes = c.Value
	case proposal.SettingRefusedSharePercent:
		s.RefusedSharePercent = number32(c.Value)
	case proposal.SettingCheckpointInterval:
		s.CheckpointInterval = number32(c.Value)
	}
}

func setUpkeep(s *upkeep.Settings, c proposal.Setting) {
	switch c.Number {
	case proposal.SettingLogRetentionBytes:
		s.LogRetentionBytes = c.Value
	case proposal.SettingLogRetentionTime:
		s.LogRetentionTime = c.Duration()
	case proposal.SettingLogPinBytes:
		s.LogPinBytes = c.Value
	case proposal.SettingSnapshotMinLogBytes:
		s.SnapshotMinLogBytes = c.Value
	case proposal.SettingSnapshotMaxLogBytes:
		s.SnapshotMaxLogBytes = c.Value
	case proposal.SettingMaxTransfers:
		s.MaxTransfers = number32(c.Value)
	case proposal.SettingTransferRate:
		s.TransferRate = c.Value
	case proposal.SettingBackfillRate:
		s.BackfillRate = c.Value
	}
}

// Upkeep are the settings of upkeep in force.
func (f *FSM) Upkeep() upkeep.Settings {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.state.upkeep.Settings()
}

// OnUpkeep has fn called with the settings of upkeep: now, and from then on whenever others are in force, because they
// were changed or a snapshot was restored. It is called by one goroutine at a time, later settings later, mostly by the
// one that applies: it must be short, wait for nothing, and not call the FSM.
func (f *FSM) OnUpkeep(fn func(upkeep.Settings)) {
	f.upkeep.mu.Lock()
	defer f.upkeep.mu.Unlock()
	f.upkeep.told = f.Upkeep()
	f.upkeep.watchers = append(f.upkeep.watchers, fn)
	fn(f.upkeep.told)
}

// upkeepWatch tells others what settings of upkeep are in force.
type upkeepWatch struct {
	mu       sync.Mutex // before FSM.mu
	told     upkeep.Settings
	watchers []func(upkeep.Settings)
}

// tellUpkeep calls the watchers where other settings are in force than they were told. The caller does not hold mu.
func (f *FSM) tellUpkeep() {
	f.upkeep.mu.Lock()
	defer f.upkeep.mu.Unlock()
	now := f.Upkeep()
	if now == f.upkeep.told || len(f.upkeep.watchers) == 0 {
		return
	}
	f.upkeep.told = now
	for _, fn := range f.upkeep.watchers {
		fn(now)
	}
}
